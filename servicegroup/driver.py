"""The driver contract: the narrow waist between the core and a kind of store.

A driver only talks to its store. Desired state, threads, retries, timing, judging, differences
and the translation of errors live in the core, once. What every driver must do is checked by
:class:`servicegroup.testing.DriverConformance`.
"""

from __future__ import annotations

import abc
import enum
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import ClassVar, NamedTuple

from oslo_config import cfg

from servicegroup.config import Settings
from servicegroup.model import Member, Sighting
from servicegroup.will import LastWill


class Capability(enum.Flag):
    """Optional abilities: promised means it must work, unpromised means it must refuse."""

    NONE = 0
    #: ``watch`` calls back by itself when members may have changed.
    WATCH = enum.auto()
    #: A crashed member stays listed until it leaves, is deleted or is forgotten.
    REMEMBERS = enum.auto()
    #: Members come from elsewhere: ``join``, ``update``, ``heartbeat`` and ``leave`` refuse.
    READ_ONLY = enum.auto()
    #: Sightings carry the service record, so that nobody reads it a second time.
    RECORDS = enum.auto()


class Loss(enum.Enum):
    """Why a member needs attention. The first two need evidence in the store."""

    SUPERSEDED = "superseded"  #: a newer incarnation joined under the same id
    REMOVED = "removed"  #: an operator or another process took it out
    MISSING = "missing"  #: merely absent: the store may have lost data; asserted again


class Lost(NamedTuple):
    """A member that needs attention.

    ``by``: the newer life that superseded it, with its instance, incarnation, host name and process
    id at least; ``None`` if it left meanwhile.
    """

    member: Member
    loss: Loss
    by: Member | None = None

    @property
    def reason(self) -> str:
        """Why its membership is over, in words; of those that rest on evidence."""
        if self.loss is not Loss.SUPERSEDED:
            return "removed by an operator"
        by = self.by
        who = f"process {by.process_id} on host {by.hostname}" if by else "another process"
        return f"superseded: {who} joined later under the same member id"


class Sightings(NamedTuple):
    """One look into the store.

    ``witnessed``: whether some instance, of any group, was heard throughout the last
    ``service_down_time`` (True where the store needs no witness). It need only be right when a
    member's age exceeds the limit. ``clock``: the store's clock in seconds from any origin, if it
    has one. Ages are what is judged; this is for whoever wants to compare clocks.
    """

    members: Sequence[Sighting]
    witnessed: bool = True
    clock: float | None = None


class Ages(NamedTuple):
    """One look into the store that is made for verdicts alone.

    ``ages``: {member id: seconds since its instance's last beat, by one clock; ``None`` where
    presence is the proof of life} of members that are judged by nothing else. ``others``: sightings
    of the rest, those with an ending or with the operator's word against them. ``witnessed``: as in
    :class:`Sightings`.
    """

    ages: Mapping[str, float | None]
    others: Sequence[Sighting] = ()
    witnessed: bool = True


class Finding(NamedTuple):
    """What one check found, in words for operators.

    ``remedy``: what to do if it is not ``well``. ``silent``: the store did not answer.
    """

    check: str
    well: bool
    result: str
    remedy: str = ""
    silent: bool = False


class Context(NamedTuple):
    """What a driver is made with.

    ``instance_id`` is the life that this process beats as: a uuid, new in every process.
    """

    conf: cfg.ConfigOpts
    settings: Settings
    instance_id: str


class Driver(abc.ABC):
    """Keeps signs of life in one kind of store.

    Thread rule: the core calls one driver from several threads at once. Time rule: every call
    returns or raises within ``settings.call_timeout`` seconds per request to the store, also when
    the store is a black hole. A driver reads other machines' timestamps only to subtract two of
    one clock: ages cross the waist, timestamps never do.
    """

    #: What this driver promises; a wrapper of other stores may narrow it when it starts.
    capabilities: Capability = Capability.NONE
    #: Seconds of silence after which the store itself ends a life and others see its members down,
    #: where that is not left to ``service_down_time``. The core beats several times within them,
    #: and tells the members that they are lost before they are over.
    ends_after: float | None = None
    #: Seconds by which ages may be more or less than they are, where the store counts no finer. A
    #: driver rounds so that nobody is beyond ``service_down_time`` who may be within it.
    resolution: ClassVar[float] = 0.0
    #: Exceptions of the client library that mean "the store did not answer".
    client_errors: ClassVar[tuple[type[Exception], ...]] = (OSError,)
    #: The name of the option group and its options, registered before the driver is made.
    options_group: ClassVar[str | None] = None
    options: ClassVar[Sequence[cfg.Opt]] = ()

    def __init__(self, context: Context) -> None:
        self.context = context

    def start(self) -> None:
        """Open the client. Idempotent.

        :raises ConfigurationError: an option cannot work; names it and the remedy
        """

    def stop(self) -> None:
        """Close the client, within ``settings.call_timeout`` seconds also when the store is down.

        Ends no membership. Idempotent, and the driver may be started again.
        """

    @abc.abstractmethod
    def join(self, members: Sequence[Member]) -> list[Member]:
        """Store members as an *intention*: they may take over from an older life.

        Each is bound to its ``instance_id`` with incarnation = stored + 1 (first: 1), a first
        beat, and ``started_at`` by the store's clock: :meth:`Member.joined` makes what is to be
        stored. An instance that held one of them before
        finds it ``superseded`` at its next heartbeat. A life that left or was removed counts as
        stored while evidence of it is kept, so that none can return over its successor.

        :returns: the members as stored, in the order given
        """

    @abc.abstractmethod
    def update(self, members: Sequence[Member]) -> list[Lost]:
        """Store members again with the incarnation they have: a *repair* or a change.

        Succeeds where the stored one is absent without evidence of removal, has a lower
        incarnation, or the same one with the same instance. Never overwrites a newer life, nor a
        higher ``revision`` of the same one. The member's ``withdrawn`` is stored as it is, and the
        instance's beat is renewed; where none was stored, it may be.

        :returns: those not stored, ``superseded`` or ``removed``
        """

    @abc.abstractmethod
    def heartbeat(self, instance_id: str, members: Sequence[Member]) -> list[Lost]:
        """Renew the sign of life of this instance: one small write, however many *members*.

        An instance that was ended and beats all the same is alive again. What needs attention is
        told at every beat until it is stored again or named no more: an answer may get lost. An
        instance without members may beat too: a watch bears witness so where nobody else does.

        :returns: the members that need attention, and why
        """

    @abc.abstractmethod
    def leave(self, members: Sequence[Member]) -> None:
        """End membership now. Idempotent; a member whose stored life is another one is untouched.

        Where the life belongs to a foreign instance (an operator's delete) evidence stays behind,
        for twice ``settings.service_down_time`` at least, so that its owner finds it ``removed``,
        not ``missing``.
        """

    @abc.abstractmethod
    def end(self, instance_id: str, reason: str) -> None:
        """Note that this life is over: all its members are down with *reason*, and stay listed.

        Fenced: a member that meanwhile belongs to another instance is untouched. Idempotent. Needs
        no live client of that instance: the guardian calls it for a process that died.
        """

    def last_will(self, reason: str) -> LastWill | None:  # noqa: ARG002
        """Say how the guardian can do what ``end`` does to this driver's own instance.

        ``None``, the default: it cannot, and no guardian is started for this driver. Called before
        ``start``, too; talks to nobody. The function that is named stands in a module that imports
        only the client library, neither this class nor oslo.config, and so do the packages that it
        is in: they stay in memory beside every daemon. Each of its waits is bounded.

        :param reason: what members are to be down with
        """
        return None

    @abc.abstractmethod
    def sightings(
        self,
        group_id: str,
        member_ids: Collection[str] | None = None,
        *,
        known: Mapping[str, Member] | None = None,
        attributes: bool = True,
    ) -> Sightings:
        """Look at some or all members of a group, in a number of round trips that is O(1).

        Of the whole group, members that left are not listed, except those in *known* or
        *member_ids*: they come with an ending of kind ``LEFT`` where the store has evidence.

        :param known: members as the caller holds them: for one whose instance, incarnation and
            revision are still the same, this very object may be returned
        :param attributes: False if only the fields that name the member and its life are wanted
            (group and member id, instance, incarnation, revision); the others may be left empty
        """

    def ages(self, group_id: str) -> Ages:
        """Look at a whole group for its verdicts alone; they are the same as by ``sightings``.

        Worth overriding where the store then has less to send, or the driver less to make of it:
        listings of ids and verdicts are the most frequent ones. Of *others* nothing need be there
        that no verdict depends on.
        """
        seen = self.sightings(group_id, attributes=False)
        return Ages({}, seen.members, seen.witnessed)

    @abc.abstractmethod
    def groups(self) -> list[str]:
        """Return the names of the groups that have members, sorted."""

    def findings(self) -> Iterable[Finding]:
        """Say how this store is, for ``servicegroup doctor``: what goes wrong in practice with it.

        Reads only. Nothing, by default.
        """
        return ()

    def watch(
        self, group_id: str, changed: Callable[[Collection[str] | None], None]
    ) -> Callable[[], None]:
        """Call ``changed(member_ids)`` when these may have changed, ``changed(None)`` for anything.

        Members of an instance that beats again after its end or a silence change with that beat.
        Falling silent is no change: when that happens is computed from the age.

        Needs ``Capability.WATCH``. Spurious calls are fine, missed ones are not: after a lost
        connection ``changed(None)``. It may be called from any thread and returns at once. Drivers
        never build events.

        :returns: a function that ends the watch
        """
        raise NotImplementedError
