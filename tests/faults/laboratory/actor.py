"""A process of the laboratory's fleet: a member process, an observer or the keeper.

It reads calls as :mod:`fleet.daemon` does, and can be used again: ``open`` begins a life in one
fleet, ``close`` ends it. What it was told to do it does until the store has confirmed it, and
writes down from when until when that took.
"""

import contextlib
import json
import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from faults.laboratory import defects
from faults.laboratory.asking import Asking
from faults.laboratory.instruments import listen
from faults.laboratory.journal import Journal, Pulse
from fleet.daemon import obeyed, say
from oslo_config import cfg

from servicegroup import (
    DriverUnavailable,
    LivenessUnknown,
    Membership,
    NoSuchService,
    ServiceGroup,
    config,
    loading,
)

GROUP = "g"
#: Seconds between two tries, and until it gives up: far longer than any fault lasts.
AGAIN = 0.05
PATIENCE = 60.0


class Orders:
    """What the process can be told."""

    _group: ServiceGroup
    _journal: Journal

    def __init__(self) -> None:
        self._joined: dict[str, Membership] = {}
        self._asking: Asking | None = None
        self._pulse: Pulse | None = None
        self._children: set[int] = set()

    def open(
        self, who: str, journal: str, options: dict[str, dict[str, Any]], defect: str | None
    ) -> None:
        """Begin a life in a fleet."""
        if defect is not None:
            defects.introduce(defect)
        self._journal = Journal(Path(journal), who)
        self._pulse = Pulse(self._journal)
        self._group = ServiceGroup(_configuration(options))
        process = self._group._running()
        listen(process.door, self._journal)
        self._journal.note("open", instance=process.instance_id, pid=os.getpid())

    def close(self) -> None:
        """End this life in good order."""
        self.conclude()
        self._group.close()
        if self._pulse is not None:
            self._pulse.close()
        self._journal.close()
        children = self._children
        self.__init__()  # type: ignore[misc]
        self._children = children

    # -- members ------------------------------------------------------------------------------

    def join(self, member_id: str, attributes: dict[str, Any]) -> None:
        """Join, and wait until the store has it."""
        begin = time.monotonic()
        self._journal.note("joins", member=member_id)
        earlier = self._joined.get(member_id)
        if earlier is not None:  # taken away from it, which it may have to learn first
            _until(lambda: earlier.ended)
        joined = self._group.join(
            GROUP, member_id, attributes=attributes, wait=False, on_lost=self._lost
        )
        self._joined[member_id] = joined
        report = self._group._running().heart._judged
        _until(lambda: report.stored((GROUP, member_id)) is not None or joined.ended)
        stored = report.stored((GROUP, member_id))
        incarnation = None if stored is None else stored.incarnation
        self._journal.note(
            "join",
            begin=begin,
            member=member_id,
            instance=joined.member.instance_id,
            incarnation=incarnation,
            attributes=attributes,
        )

    def fork(self, seconds: float) -> None:
        """Fork a child that lives for *seconds*, looks once, and ends without a word."""
        self._reap()
        pid = os.fork()
        if pid == 0:
            _live(self._group, seconds)
        self._children.add(pid)
        self._journal.note("fork", pid=pid, seconds=seconds)

    def leave(self, member_id: str) -> None:
        """Leave, and wait until the store has confirmed it."""
        begin = time.monotonic()
        self._journal.note("leaves", member=member_id)
        self._joined.pop(member_id).leave()
        report = self._group._running().heart._judged
        _until(lambda: (GROUP, member_id) not in report._leaving)
        self._journal.note("leave", begin=begin, member=member_id)

    def update(self, member_id: str, attributes: dict[str, Any]) -> None:
        """Publish other attributes, and wait until the store has them."""
        begin = time.monotonic()
        with contextlib.suppress(DriverUnavailable):  # stored as soon as it answers
            self._joined[member_id].update(attributes)
        report = self._group._running().heart._judged
        _until(lambda: (GROUP, member_id) not in report._changed)
        self._journal.note("update", begin=begin, member=member_id, attributes=attributes)

    # -- what operators do --------------------------------------------------------------------

    def word(self, call: str, member_id: str) -> None:
        """Say an operator's word on a record, until it is taken."""
        self._insist("word", member_id, lambda: getattr(self._group.services, call), call=call)

    def remove(self, member_id: str) -> None:
        """End a member's life from afar."""
        self._insist("remove", member_id, lambda: self._group.leave)

    def delete(self, member_id: str) -> None:
        """Remove a record for good."""
        self._insist("delete", member_id, lambda: self._group.services.delete)

    def account(self) -> None:
        """Write down all records and members, as anybody could read them now."""
        members = {one.member_id: one for one in _answered(lambda: self._group.get_members(GROUP))}
        attributes = {one: dict(status.attributes) for one, status in members.items()}
        records = None
        if self._group._running().records is not None:
            listed = _answered(lambda: self._group.services.list(GROUP, left=True))
            records = {
                one.member_id: [one.disabled, one.forced_down, one.left_at is not None]
                for one in listed
            }
        self._journal.note("account", attributes=attributes, records=records)

    # -- observers ----------------------------------------------------------------------------

    def observe(self, member_ids: list[str]) -> None:
        """Ask about these members from now on."""
        self._asking = Asking(self._group, GROUP, member_ids, self._journal)

    def conclude(self) -> None:
        """Ask no more."""
        asking, self._asking = self._asking, None
        if asking is not None:
            asking.close()

    def _insist(
        self, what: str, member_id: str, method: Callable[[], Callable[..., Any]], **fields: Any
    ) -> None:
        begin = time.monotonic()
        self._journal.note(f"{what}s", member=member_id)
        try:
            known = _answered(lambda: method()(GROUP, member_id)) is not False
        except NoSuchService:
            known = False
        self._journal.note(what, begin=begin, member=member_id, known=known, **fields)

    def _reap(self) -> None:
        self._children -= {pid for pid in self._children if os.waitpid(pid, os.WNOHANG)[0]}

    def _lost(self, membership: Membership, reason: str) -> None:
        self._journal.note("lost", member=membership.member.member_id, reason=reason)


def _live(group: ServiceGroup, seconds: float) -> NoReturn:
    """Be a forked child: whatever the library left open stays open, what is ours does not."""
    try:
        for ours in (0, 1):  # else whoever holds the parent would wait for the child
            os.close(ours)
        with contextlib.suppress(DriverUnavailable):
            group.states(GROUP)
        time.sleep(seconds)
    finally:
        os._exit(0)


def _answered(call: Callable[[], Any]) -> Any:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return call()
        except (DriverUnavailable, LivenessUnknown):
            if time.monotonic() > until:
                raise
            time.sleep(AGAIN)


def _until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError("the store did not confirm it")
        time.sleep(AGAIN / 5)


def _configuration(options: dict[str, dict[str, Any]]) -> cfg.ConfigOpts:
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[], default_config_dirs=[])
    config.register(conf)
    config.register_database(conf)
    loading.register_options(conf, loading.load(options[config.GROUP]["driver"]))
    for group, values in options.items():
        for name, value in values.items():
            conf.set_override(name, value, group=group)
    return conf


def main() -> None:
    """Obey until the input ends."""
    logging.basicConfig(level=logging.CRITICAL)
    orders = Orders()
    say({"answer": "ready"})
    for line in sys.stdin:
        name, arguments, named = json.loads(line)
        obeyed(getattr(orders, name), arguments, named)
    os._exit(0)  # whatever a fault left hanging


if __name__ == "__main__":
    main()
