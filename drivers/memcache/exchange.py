"""One request to each of several servers, side by side: all are sent, then read as they come."""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

from .client import MetaClient
from .server import CLIENT_ERRORS, Server

T = TypeVar("T")

#: Seconds for reading a reply that is there, whatever the time.
_GRACE = 0.1


class Request(NamedTuple, Generic[T]):
    """What to send to one server, and what reads the reply: ``None`` while its end is missing."""

    commands: bytes
    read: Callable[[bytes], T | None]


def exchange(servers: Sequence[Server], requests: Mapping[int, Request[T]]) -> dict[int, T]:
    """Send each server, by its index, its request; those that did not answer are absent.

    Whoever has to be connected to may let us wait: that comes when the others have answered.
    """
    if len(requests) == 1:
        [(index, request)] = requests.items()
        reply = None if servers[index].skipped else _alone(servers[index], request)
        return {} if reply is None else {index: reply}
    found: dict[int, T] = {}
    asked = [index for index in requests if not servers[index].skipped]
    ready = [index for index in asked if servers[index].connected]
    sent = [_Exchange(servers[index], index, requests[index]) for index in ready]
    for one in _as_they_answer(sent):
        one.finish(found)
    for index in asked:
        if index not in ready:
            _Exchange(servers[index], index, requests[index]).finish(found)
    return found


def _alone(server: Server, request: Request[T]) -> T | None:
    """Send one server a request and return the reply, if there is one; take note of that."""
    deadline = time.monotonic() + server.timeout
    client = server.lease()
    old = client.answered
    try:
        try:
            client.send(request.commands, deadline)
            reply = client.receive(request.read, deadline)
        except CLIENT_ERRORS as error:
            # A connection that lay idle may have been cut; one that is new speaks for the server.
            if not old or isinstance(error, TimeoutError):
                raise
            client.send(request.commands, deadline)
            reply = client.receive(request.read, deadline)
    except CLIENT_ERRORS as error:
        server.drop(client, error)
        return None
    except BaseException:
        server.drop(client)
        raise
    server.give_back(client)
    return reply


class _Exchange(Generic[T]):
    """One request to one server: sent when made, read when it is finished."""

    def __init__(self, server: Server, index: int, request: Request[T]) -> None:
        self._server = server
        self._index = index
        self._request = request
        self.deadline = time.monotonic() + server.timeout
        self._client: MetaClient = server.lease()
        self._old = self._client.answered
        self._error = self._send()

    @property
    def fileno(self) -> int | None:
        """The socket on which the reply will come; ``None`` if nothing was sent."""
        if self._error is not None or self._client.sock is None or self._client.classic:
            return None
        number: int = self._client.sock.fileno()
        return number

    def finish(self, found: dict[int, T]) -> None:
        """Put the reply into *found*, if there is one, and take note of that."""
        error = self._error or self._receive(found)
        if error is not None and self._old and not isinstance(error, TimeoutError):
            error = self._send() or self._receive(found)
        if error is None:
            self._server.give_back(self._client)
        else:
            self._server.drop(self._client, error)

    def _send(self) -> Exception | None:
        try:
            self._client.send(self._request.commands, self.deadline)
        except CLIENT_ERRORS as error:
            return error
        except BaseException:
            self._server.drop(self._client)
            raise
        return None

    def _receive(self, found: dict[int, T]) -> Exception | None:
        try:
            # What came while another server was waited for is read, however late it is.
            deadline = max(self.deadline, time.monotonic() + _GRACE)
            found[self._index] = self._client.receive(self._request.read, deadline)
        except CLIENT_ERRORS as error:
            return error
        except BaseException:
            self._server.drop(self._client)
            raise
        return None


def _as_they_answer(sent: Sequence[_Exchange[T]]) -> Iterator[_Exchange[T]]:
    """Yield requests in the order of their replies, so that none waits for one that hangs."""
    if len(sent) < 2:
        yield from sent
        return
    poll = select.poll()
    waiting = {}
    for request in sent:
        if request.fileno is None:
            yield request
        else:
            waiting[request.fileno] = request
            poll.register(request.fileno, select.POLLIN)
    while waiting:
        left = max(request.deadline for request in waiting.values()) - time.monotonic()
        ready = poll.poll(max(0.0, left) * 1000)
        for fileno, _ in ready:
            poll.unregister(fileno)
            yield waiting.pop(fileno)
        if not ready:
            yield from waiting.values()
            return
