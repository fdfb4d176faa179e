"""The one door to a driver: it opens the client at first use and speaks our errors only."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from types import TracebackType
from typing import TypeVar

from servicegroup.driver import Ages, Capability, Driver, Finding, Lost, Sightings
from servicegroup.exceptions import (
    DriverUnavailable,
    LivenessUnknown,
    NotSupported,
    ServiceGroupError,
)
from servicegroup.model import EndKind, Member
from servicegroup.will import LastWill

#: What is said to whoever uses what was closed, or what stayed with the parent of a fork.
CLOSED = "this ServiceGroup is closed: make a new one"
INHERITED = "this stayed with the parent process of a fork: ask the ServiceGroup for it again"

T = TypeVar("T")
Told = Callable[[str, float, BaseException | None], None]


class _Translation:
    """Turns what a driver's client library raises into our error. One object for all calls."""

    def __init__(self, name: str, driver: Driver) -> None:
        self._name = name
        self._driver = driver

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None or isinstance(error, ServiceGroupError):
            return
        if isinstance(error, self._driver.client_errors):
            words = str(error).strip() or type(error).__name__
            raise DriverUnavailable(
                f"the store of driver {self._name!r} did not answer: {words.splitlines()[0]}"
            ) from error


class _Told:
    """One call, of whose seconds somebody wants to hear."""

    def __init__(self, call: str, told: Told, translated: _Translation) -> None:
        self._call = call
        self._told = told
        self._translated = translated
        self._began = time.perf_counter()

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        seconds = time.perf_counter() - self._began
        try:
            self._translated.__exit__(kind, error, traceback)
        except DriverUnavailable as unavailable:
            self._told(self._call, seconds, unavailable)
            raise
        self._told(self._call, seconds, error)


class Door:
    """A driver as the rest of the core sees it: same calls, translated errors.

    Every call may raise :exc:`DriverUnavailable`, with the client library's error as its cause, or
    :exc:`NotSupported`. Usable from any thread.
    """

    #: Told of each call, on the thread that made it: its name, its seconds, and what it raised, or
    #: ``None``. Must be quick and not raise. ``None`` here: nobody asks, and no clock is read.
    told: Told | None = None

    def __init__(self, name: str, driver: Driver) -> None:
        self.name = name
        self.driver = driver
        self._opening = threading.Lock()
        self._tries = 0
        self._refusal: Exception | None = None
        self._open = False
        self._over: str | None = None
        self._read_only = False
        self._translated = _Translation(name, driver)

    @property
    def capabilities(self) -> Capability:
        """What the driver promises; a wrapper may know only once it has started."""
        return self.driver.capabilities

    @property
    def ends_after(self) -> float:
        """Seconds of silence after which the store itself ends a life; infinite if it does not."""
        ends_after = self.driver.ends_after
        return float("inf") if ends_after is None else ends_after

    def start(self) -> None:
        """Open the client now rather than at first use."""
        with self._translated:
            self._started()

    def stop(self) -> None:
        """Close the client; the next call opens it again."""
        with self._opening:
            self._open = False
        with self._translated:
            self.driver.stop()

    def retire(self, why: str) -> None:
        """Once stopped, refuse all calls with *why*: what still holds on to it must not open it."""
        self._over = why

    def inherited(self) -> None:
        """Refuse all calls in a forked child: the client is the parent's."""
        self._opening = threading.Lock()  # the old one may be held by a thread left behind
        self._open = False
        self.retire(INHERITED)

    def run(self, work: Callable[[], T]) -> T:
        """Open the client if need be, and do *work* that goes past the driver's own methods."""
        with self._call("records"):
            self._started()
            return work()

    def join(self, members: Sequence[Member]) -> list[Member]:
        """See :meth:`servicegroup.driver.Driver.join`."""
        with self._call("join"):
            return self._writable().join(members)

    def update(self, members: Sequence[Member]) -> list[Lost]:
        """See :meth:`servicegroup.driver.Driver.update`."""
        with self._call("update"):
            return self._writable().update(members)

    def heartbeat(self, instance_id: str, members: Sequence[Member]) -> list[Lost]:
        """See :meth:`servicegroup.driver.Driver.heartbeat`."""
        with self._call("heartbeat"):
            return self._writable().heartbeat(instance_id, members)

    def leave(self, members: Sequence[Member]) -> None:
        """See :meth:`servicegroup.driver.Driver.leave`."""
        with self._call("leave"):
            self._writable().leave(members)

    def remove(self, group_id: str, member_id: str) -> bool:
        """End whatever life holds this member id now; returns whether there was one.

        :raises LivenessUnknown: the store lost what it knew of it: there is nothing to leave
            evidence on, and a process that lives would bring it back
        """
        seen = self.sightings(group_id, [member_id], attributes=False).members
        for one in seen:
            if one.ended is not None and not one.member.instance_id:
                raise LivenessUnknown(
                    f"{group_id}/{member_id} cannot be removed now: the store of driver "
                    f"{self.name!r} says {one.ended.reason!r}; try again when it is listed, or "
                    f"after one service_down_time"
                )
        held = [s.member for s in seen if s.ended is None or s.ended.kind is not EndKind.LEFT]
        if held:
            self.leave(held)
        return bool(held)

    def end(self, instance_id: str, reason: str) -> None:
        """See :meth:`servicegroup.driver.Driver.end`."""
        with self._call("end"):
            self._writable().end(instance_id, reason)

    def last_will(self, reason: str) -> LastWill | None:
        """See :meth:`servicegroup.driver.Driver.last_will`. Does not open the client."""
        return self.driver.last_will(reason)

    def sightings(
        self,
        group_id: str,
        member_ids: Collection[str] | None = None,
        *,
        known: Mapping[str, Member] | None = None,
        attributes: bool = True,
    ) -> Sightings:
        """See :meth:`servicegroup.driver.Driver.sightings`."""
        with self._call("sightings"):
            return self._started().sightings(
                group_id, member_ids, known=known, attributes=attributes
            )

    def ages(self, group_id: str) -> Ages:
        """See :meth:`servicegroup.driver.Driver.ages`."""
        with self._call("ages"):
            return self._started().ages(group_id)

    def groups(self) -> list[str]:
        """See :meth:`servicegroup.driver.Driver.groups`."""
        with self._call("groups"):
            return self._started().groups()

    def findings(self) -> list[Finding]:
        """See :meth:`servicegroup.driver.Driver.findings`."""
        with self._call("findings"):
            return list(self._started().findings())

    def watch(
        self, group_id: str, changed: Callable[[Collection[str] | None], None]
    ) -> Callable[[], None]:
        """See :meth:`servicegroup.driver.Driver.watch`."""
        with self._call("watch"):
            driver = self._started()
            if Capability.WATCH not in driver.capabilities:
                raise NotSupported(f"driver {self.name!r} cannot call back; it is polled")
            return driver.watch(group_id, changed)

    def _call(self, name: str) -> _Translation | _Told:
        told = self.told
        return self._translated if told is None else _Told(name, told, self._translated)

    def _writable(self) -> Driver:
        driver = self._started()
        if self._read_only:
            raise NotSupported(
                f"driver {self.name!r} only reads: its members come from elsewhere and cannot "
                f"join, beat or leave through it"
            )
        return driver

    def _started(self) -> Driver:
        if not self._open:
            tries = self._tries
            with self._opening:
                if not self._open:
                    if self._over is not None:
                        raise ServiceGroupError(self._over)
                    if self._refusal is not None and self._tries != tries:
                        raise self._refusal  # of somebody else's try: one wait is enough
                    self._try_to_start()
        return self.driver

    def _try_to_start(self) -> None:
        self._refusal = None
        try:
            self.driver.start()
            self._read_only = Capability.READ_ONLY in self.driver.capabilities
            self._open = True
        except Exception as error:
            self._refusal = error
            raise
        finally:
            self._tries += 1
