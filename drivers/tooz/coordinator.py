"""One coordinator of tooz's: each call waits, ends in time, and raises only tooz's errors."""

from __future__ import annotations

import contextlib
import math
import random
import threading
import time
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import tooz
from tooz import coordination

from servicegroup.clock import boottime
from servicegroup.exceptions import ConfigurationError, ServiceGroupError

from .options import GROUP

#: Seconds between two tries for a lock: the longest pause.
PAUSE = 0.02
#: A group may be created or a member be swept by others between two steps: tries to store one.
TRIES = 5

Capabilities = dict[str, Any]


class Place(NamedTuple):
    """Which store, and how long to wait for one answer of it, in seconds."""

    url: str
    timeout: float

    @property
    def scheme(self) -> str:
        """What tooz calls the back end."""
        return urlsplit(self.url).scheme

    @property
    def address(self) -> str:
        """Where it is, without what may be a password."""
        parsed = urlsplit(self.url)
        return parsed.netloc.rpartition("@")[2] or parsed.path


class Coordinator:
    """A tooz coordinator that runs no threads and never leaves by itself. Usable from any thread.

    :param member_id: what tooz knows it by
    :param kept_for: seconds after its last heartbeat for which its entries stay in groups
    """

    def __init__(self, place: Place, member_id: str, kept_for: float) -> None:
        self._place = place
        self._member_id = member_id
        whole = math.ceil(place.timeout)
        kept = math.ceil(kept_for) + 1  # some back ends end them up to a second early
        self._options: dict[str, Any] = {
            "executor": "sync",
            "timeout": kept if place.scheme == "file" else whole,
            "membership_timeout": kept,
            "lock_timeout": whole + 1,
        }
        #: When it beat last, by our own clock.
        self.beat_at = float("-inf")
        self._lock = threading.RLock()
        self._tooz: Any = None

    def start(self) -> bool:
        """Connect, unless that was done; returns whether it was done now.

        :raises ConfigurationError: the back end has no groups
        """
        with self._lock:
            if self._tooz is not None:
                return False
            with _translated(self._place):
                made: Any = coordination.get_coordinator(
                    self._place.url, self._member_id.encode(), **self._options
                )
                try:
                    _without_retries(made)
                    made.start()
                    with contextlib.suppress(coordination.GroupNotCreated):
                        made.get_members_with_capabilities(b"servicegroup.no.group").get()
                except tooz.NotImplemented as error:
                    _close(made)
                    raise ConfigurationError(
                        f"[{GROUP}] backend_url: tooz's {self._place.scheme!r} back end has no "
                        f"groups; choose another one, or another driver"
                    ) from error
                except BaseException:
                    _close(made)
                    raise
            self._tooz = made
            return True

    @property
    def replaces(self) -> bool:
        """Whether an entry can be replaced in one step; else it is away for a moment."""
        self.start()
        plain = coordination.CoordinationDriver.update_capabilities
        return type(self._tooz).update_capabilities is not plain

    def close(self) -> None:
        """Hang up. What is stored stays until its time is over."""
        with self._lock:
            made, self._tooz = self._tooz, None
        if made is not None:
            _close(made)

    def heartbeat(self) -> None:
        """Renew all entries of this coordinator."""
        with self._used() as made, self._lock:
            sent = boottime()
            made.heartbeat()
            self.beat_at = sent

    def groups(self) -> list[str]:
        """Return the names of all groups, also of those that are not ours."""
        with self._used() as made:
            return [text_of(name) for name in made.get_groups().get()]

    def names(self, group: str) -> set[str] | None:
        """Return who is in a group; ``None`` where there is no such group."""
        with self._used() as made:
            try:
                return {text_of(name) for name in made.get_members(group.encode()).get()}
            except coordination.GroupNotCreated:
                return None

    def entries(self, group: str) -> dict[bytes | str, Capabilities | None] | None:
        """Return who is in a group, and what they say; ``None`` where there is no such group.

        There are tens of thousands: their names are as tooz gives them.
        """
        with self._used() as made:
            try:
                found: dict[bytes | str, Capabilities | None] = made.get_members_with_capabilities(
                    group.encode()
                ).get()
            except coordination.GroupNotCreated:
                return None
            return found

    def said(self, group: str, member_id: str) -> Capabilities | None:
        """Return what somebody says in a group; ``None`` if that one is not in it."""
        with self._used() as made:
            try:
                found = made.get_member_capabilities(group.encode(), member_id.encode())
                said: Capabilities | None = found.get()
            except (coordination.MemberNotJoined, coordination.GroupNotCreated):
                return None
            return said

    def create(self, group: str) -> None:
        """Let there be a group of that name."""
        with self._used() as made, contextlib.suppress(coordination.GroupAlreadyExist):
            made.create_group(group.encode()).get()

    def put(self, group: str, said: Capabilities) -> None:
        """Be in the group, saying this."""
        name = group.encode()
        with self._used() as made, self._lock:
            for _ in range(TRIES):
                try:
                    if not self.replaces:
                        self.leave(group)
                        raise coordination.MemberNotJoined(group, self._member_id)
                    made.update_capabilities(name, said).get()
                except (coordination.MemberNotJoined, coordination.GroupNotCreated):
                    try:
                        made.join_group(name, said).get()
                    except coordination.GroupNotCreated:
                        self.create(group)
                        continue
                    except coordination.MemberAlreadyExist:
                        continue
                # Some back ends beat only in groups that this very object joined.
                made._joined_groups.add(name)
                return
            raise tooz.ToozError(f"group {group} comes and goes")

    def leave(self, group: str) -> None:
        """Be in the group no more."""
        gone = (coordination.MemberNotJoined, coordination.GroupNotCreated)
        with self._used() as made, self._lock, contextlib.suppress(*gone):
            made.leave_group(group.encode()).get()

    @contextlib.contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """Keep everybody else, on any host, from doing the same meanwhile.

        :raises tooz.coordination.OperationTimedOut: somebody else holds it for too long
        """
        with self._used() as made:
            lock = made.get_lock(name.encode())
            until = time.monotonic() + self._place.timeout
            while not lock.acquire(blocking=False):
                if time.monotonic() > until:
                    raise coordination.OperationTimedOut(f"lock {name} is held by somebody else")
                time.sleep(PAUSE * random.random())  # noqa: S311
        try:
            yield
        finally:
            # If it cannot be told, the lock ends by itself.
            with contextlib.suppress(tooz.ToozError), _translated(self._place):
                lock.release()

    @contextlib.contextmanager
    def _used(self) -> Iterator[Any]:
        """Give the coordinator; one that fails is given up with its connection."""
        self.start()
        made = self._tooz
        try:
            with _translated(self._place):
                if made is None:
                    raise tooz.ToozError("the connection was closed")
                yield made
        except coordination.OperationTimedOut:
            raise
        except tooz.ToozError:
            with self._lock:
                if self._tooz is made:
                    self.close()
            raise


@contextlib.contextmanager
def _translated(place: Place) -> Iterator[None]:
    """Make everything that a back end lets through one of tooz's errors: they are its to raise.

    Who did not answer is named, where the back end's library does not.
    """
    try:
        yield
    except coordination.ToozConnectionError as error:
        if place.address in str(error):
            raise
        raise coordination.ToozConnectionError(f"{place.address}: {error}") from error
    except (tooz.ToozError, ServiceGroupError):
        raise
    except Exception as error:
        words = str(error).strip() or type(error).__name__
        named = words if place.address in words else f"{place.address}: {words}"
        raise tooz.ToozError(named) from error


def _without_retries(made: Any) -> None:
    """Let Redis's client fail at once: it would wait for a minute for what the core tries again."""
    make_client = getattr(made, "_make_client", None)
    if make_client is None:
        return

    def impatient(*arguments: Any) -> Any:
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        client = make_client(*arguments)
        client.set_retry(Retry(NoBackoff(), 0))
        return client

    made._make_client = impatient


def _close(made: Any) -> None:
    """Close the connection by its client: tooz's own ``stop`` would leave all groups first."""
    for name in ("client", "_client"):
        client = getattr(made, name, None)
        client = getattr(client, "session", client)  # etcd3gw's own has no end
        if client is not None:
            with contextlib.suppress(Exception):
                client.close()


def text_of(name: bytes | str) -> str:
    """Return a name as text, as which it was given to tooz."""
    return name if isinstance(name, str) else name.decode("utf-8", "replace")
