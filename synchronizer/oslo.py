"""Importing oslo.messaging, which only a bus plugin needs, without what it does to a process."""

from __future__ import annotations

import functools
import importlib
import threading
from concurrent.futures import Future
from typing import Any


@functools.cache
def messaging() -> Any:
    """Return the module ``oslo_messaging``.

    It imports oslo.service, which takes eventlet unless somebody chose before; a process that did
    not choose it must not get it from us. What of eventlet is imported all the same loads a second
    copy of ``threading``, by which the importing thread can never be joined again (the interpreter
    forgets the first lock): so a thread imports it that nobody joins.

    :raises ImportError: it is not installed
    """
    done: Future[Any] = Future()
    threading.Thread(target=_import, args=(done,), name="import-oslo", daemon=True).start()
    return done.result()


def _import(done: Future[Any]) -> None:
    try:
        backend = importlib.import_module("oslo_service.backend")
        if backend.get_backend_type() is None:
            backend.init_backend(backend.BackendType.THREADING)
        done.set_result(importlib.import_module("oslo_messaging"))
    except BaseException as error:  # noqa: BLE001 - it is raised where it was asked for
        done.set_exception(error)
