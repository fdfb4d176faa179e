"""The API's own membership: each process that serves it is a member by itself."""

from __future__ import annotations

import os
import threading

import falcon

from servicegroup import Membership, ServiceGroup
from servicegroup.exceptions import ServiceGroupError


class Presence:
    """Joins a group once in each process: when the application is made, and after a fork.

    A pre-forking server that makes the application beforehand forks its workers then; a worker
    joins with its first request.

    :param group_id: which; ``None``: none
    """

    def __init__(self, service_group: ServiceGroup, group_id: str | None) -> None:
        self._service_group = service_group
        self._group_id = group_id
        self._lock = threading.Lock()
        self._pid = 0
        self.membership: Membership | None = None

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Join if this process has not."""
        self.join()

    def join(self) -> None:
        """Join if this process has not; never waits for the store."""
        if self._group_id is None or self._pid == os.getpid():
            return
        with self._lock:
            if self._pid == os.getpid():
                return
            self._pid = os.getpid()
            member_id = f"{self._service_group.settings.host}:{self._pid}"
            try:
                self.membership = self._service_group.join(
                    self._group_id, member_id, name="servicegroup-api", wait=False
                )
            except ServiceGroupError:
                self._pid = 0
                raise
