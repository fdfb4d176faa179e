"""A PostgreSQL connection whose every wait has an end.

libpq waits without limit for the answer of a server that took the query and then fell silent (a
paused machine, a black hole behind a load balancer): ``tcp_user_timeout`` only bounds what was
never acknowledged, and ``statement_timeout`` needs a server that runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
from psycopg.abc import PQGen


def connector(timeout: float) -> Callable[..., psycopg.Connection[Any]]:
    """Return a ``connect`` whose connections give up after *timeout* seconds without an answer."""

    class PatientConnection(psycopg.Connection[Any]):
        def wait(
            self, gen: PQGen[Any], interval: float = 0.1, timeout: float | None = timeout
        ) -> Any:
            try:
                return super().wait(gen, interval, timeout)
            except psycopg.OperationalError as error:
                if self.pgconn.transaction_status == psycopg.pq.TransactionStatus.ACTIVE:
                    self.pgconn.finish()  # its answer may still come, for nobody
                    message = f"no answer within {timeout:g} s"
                    raise psycopg.OperationalError(message) from error
                raise

    return PatientConnection.connect
