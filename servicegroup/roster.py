"""Everybody there is, whether or not service records are in use: what operators list and remove."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from servicegroup.door import Door
from servicegroup.driver import Capability
from servicegroup.exceptions import NoSuchService
from servicegroup.model import check_text
from servicegroup.observer import Observer
from servicegroup.status import Cause, MemberStatus

if TYPE_CHECKING:  # it loads a database library
    from servicegroup.services import Services


class Roster:
    """``sg.roster``. Every call may raise :exc:`DriverUnavailable`; usable from any thread."""

    def __init__(
        self,
        services: Services | None,
        door: Door,
        observer: Observer,
        leave: Callable[[str, str], bool],
    ) -> None:
        self._services = services
        self._door = door
        self._observer = observer
        self._leave = leave

    @property
    def only_reads(self) -> bool:
        """Whether members come from elsewhere and have no records: :meth:`delete` refuses."""
        return self._services is None and Capability.READ_ONLY in self._door.capabilities

    def list(self, group_id: str | None = None, *, left: bool = False) -> list[MemberStatus]:
        """Return the members of one group or of all with their verdicts, by group and member id.

        :param left: also those that left and have a record
        """
        if group_id is not None:
            check_text("group id", group_id)
        if self._services is None:
            statuses = self._members(group_id)
        else:
            statuses = self._services.statuses(group_id, left=left, unrecorded=True)
        return sorted(statuses, key=lambda status: status.member[:2])

    def get(self, group_id: str, member_id: str) -> MemberStatus:
        """Return one member, or one that left and has a record.

        :raises NoSuchService: there is neither
        """
        _checked(group_id, member_id)
        status = self._observer.one(group_id, member_id)
        if status is not None and (status.record or status.liveness.cause is not Cause.LEFT):
            return status
        raise _nobody(group_id, member_id)

    def delete(self, group_id: str, member_id: str) -> None:
        """Remove a member for good, and its record if it has one.

        A process that lives under it finds itself removed at its next beat and stops.

        :raises NoSuchService: there is neither member nor record
        """
        _checked(group_id, member_id)
        if self._services is not None:
            self._services.delete(group_id, member_id)
        elif not self._leave(group_id, member_id):
            raise _nobody(group_id, member_id)

    def _members(self, group_id: str | None) -> Iterator[MemberStatus]:
        for group in self._door.groups() if group_id is None else [group_id]:
            yield from self._observer.judged(self._observer.look(group))


def _checked(group_id: str, member_id: str) -> None:
    check_text("group id", group_id)
    check_text("member id", member_id)


def _nobody(group_id: str, member_id: str) -> NoSuchService:
    return NoSuchService(
        f"there is no member {member_id!r} in group {group_id!r}; 'servicegroup service list "
        f"--group {group_id}' shows those there are"
    )
