"""One fleet: its processes, their ways to the store, and who holds which member."""

import time
from pathlib import Path
from typing import Any

from faults.laboratory.journal import Journal
from faults.laboratory.link import Link
from faults.laboratory.schedule import KEEPER, MEMBERS, OBSERVERS, PROCESSES, Schedule
from faults.laboratory.stores import FaultyStore
from faults.laboratory.troupe import Actor, Troupe

#: What the keeper does for operators.
WORDS = ("disable", "enable", "force_down", "unforce_down")


class Fleet:
    """Member processes, observers and the keeper.

    What it believes of members (``expected``) rests on orders that were carried out.
    """

    def __init__(
        self, schedule: Schedule, store: FaultyStore, troupe: Troupe, folder: Path, journal: Journal
    ) -> None:
        self._schedule = schedule
        self._store = store
        self._troupe = troupe
        self._folder = folder
        self._journal = journal
        self._actors: dict[str, Actor] = {}
        self._lives: dict[str, int] = {}
        self._holder: dict[str, str] = {}  # {member: process}
        self._dead: set[str] = set()
        self._forced: set[str] = set()
        self._doubtful: set[str] = set()
        self._recorded: set[str] = set()
        self._removed: set[str] = set()
        self._forgotten_at = float("-inf")
        self._orders: dict[str, set[str]] = {}  # {process: members of orders not carried out}
        self.links: dict[str, Link] = {}

    def assemble(self) -> None:
        """Start everybody, and wait until all members are there and all observers look."""
        fresh = self._schedule.defect is not None
        names = [KEEPER, *PROCESSES, *OBSERVERS]
        for name in names:
            self._actors[name] = self._troupe.take(self._skew(name), fresh=fresh)
            if self._store.links and name != KEEPER:
                self.links[name] = self._store.link()
        for name in names:
            self._open(name)
        self._actors[KEEPER].begin("join", KEEPER, {})
        self._holder[KEEPER] = KEEPER
        for name in PROCESSES:
            self._join_all(name)
        self.finish()
        for name in OBSERVERS:
            self._actors[name].begin("observe", [KEEPER, *MEMBERS])
        self.finish()

    def lives(self, name: str) -> Actor | None:
        """Return the process if it is there."""
        return self._actors.get(name)

    def life(self, name: str) -> str:
        """Name the present life of a process, or its last."""
        return f"{name}#{self._lives[name]}"

    def order(self, what: str, target: str, **args: Any) -> bool:
        """Let something be done about a member; False if nobody is free to do it."""
        by = KEEPER
        if what == "join":
            by = args["by"]
            if self._holder.get(target) == by and target not in self._dead:
                return False
        elif what in ("leave", "update"):
            by = self._holder.get(target, "")
            if target in self._dead:
                return False
        elif what == "remove":
            if target not in self._holder:
                return False
        elif not self._store.records or target not in self._recorded:
            return False
        actor = self._actors.get(by)
        if actor is None or actor.busy or target in self.in_flight():
            return False
        self._orders[by] = {target}
        if self._may_miss(what):
            self._doubt(target)  # it may not have been there then, and be told of again
        if what in ("join", "update"):
            actor.begin(what, target, args["attributes"])
        elif what in WORDS:
            actor.begin("word", what, target)
        else:
            actor.begin(what, target)
        self._believe(what, target, by)
        return True

    def _may_miss(self, what: str) -> bool:
        """Whether the store may lack, since it lost its data, what is to be done something about.

        Evidence of a removal is lost for good, words and records until their process was heard.
        """
        if what == "remove":
            return self._forgotten_at > float("-inf")
        soon = time.monotonic() < self._forgotten_at + self._store.times.recovered
        return soon and (what == "delete" or what in WORDS)

    def fork(self, name: str, seconds: float) -> bool:
        """Let a process fork; False if it has something else to do."""
        actor = self._actors.get(name)
        if actor is None or actor.busy:
            return False
        self._orders[name] = set()
        actor.begin("fork", seconds)
        return True

    def kill(self, name: str) -> None:
        """End a process by signal 9."""
        actor = self._actors.pop(name)
        if actor.busy:
            for member in self._orders.get(name, ()):
                self._doubt(member, 60.0)
        began = time.monotonic()
        if began < self._forgotten_at + self._store.times.recovered:  # it may not be there again
            for member, holder in self._holder.items():
                if holder == name:
                    self._doubt(member)
        actor.kill()
        self._journal.note("killed", begin=began, actor=self.life(name))
        actor.close()
        self._dead |= {member for member, holder in self._holder.items() if holder == name}

    def start_again(self, name: str) -> None:
        """Start a process anew, which joins the members that nobody has taken meanwhile."""
        if name in self._actors:
            return
        fresh = self._schedule.defect is not None
        self._actors[name] = self._troupe.take(self._skew(name), fresh=fresh)
        self._open(name)
        self._join_all(name)

    def forgotten(self) -> None:
        """Take note that the store is about to lose everything.

        Who was removed rises again if its process has not learnt of it; who is dead is down, or
        gone without a trace.
        """
        for member in MEMBERS:
            if member in self._dead or member in self._removed:
                self._doubt(member)
        self._forgotten_at = float("inf")
        self._forced.clear()
        self._recorded.clear()
        self._recorded |= self._holder.keys() - self._dead

    def set_back(self) -> None:
        """Take note that the store's clock steps back: who is dead counts as alive until then."""
        for member in self._dead:
            self._doubt(member)

    def begun_anew(self) -> None:
        """Take note that the store answers again, and that everybody can tell it what it lost."""
        self._forgotten_at = time.monotonic()

    def finish(self) -> None:
        """Wait until all orders are carried out."""
        for actor in self._actors.values():
            actor.finish()

    def expected(self) -> dict[str, list[str]]:
        """Say which verdicts are right on each member once all is calm."""
        expected = {}
        for member in (KEEPER, *MEMBERS):
            if member in self._doubtful:
                expected[member] = ["up", "down", "unknown", "gone"]
            elif member not in self._holder:
                expected[member] = ["gone", "down"] if member in self._forced else ["gone"]
            elif member in self._dead or member in self._forced:
                forgets = self._store.times.forgets
                expected[member] = ["gone", "unknown"] if forgets else ["down"]
            else:
                expected[member] = ["up"]
        return expected

    def conclude(self) -> None:
        """Let the observers write down their last view, and the keeper what is in the store."""
        for name in OBSERVERS:
            self._actors[name].begin("conclude")
        self._actors[KEEPER].begin("account")
        self.finish()

    def disband(self) -> None:
        """End this fleet; processes that may have a deliberate defect end with it."""
        for link in self.links.values():
            link.heal()
        for actor in self._actors.values():
            actor.resume()
            actor.begin("close")
        for actor in self._actors.values():
            try:
                actor.finish()
            except Exception:  # noqa: BLE001 - it has been judged by then, or another error is under way
                actor.close()
            else:
                self._troupe.give_back(actor) if self._schedule.defect is None else actor.close()
        for link in self.links.values():
            link.close()

    def _skew(self, name: str) -> float:
        return self._schedule.skews.get(name, 0.0)

    def _open(self, name: str) -> None:
        self._lives[name] = self._lives.get(name, 0) + 1
        journal = str(self._folder / f"{name}-{self._lives[name]}.jsonl")
        options = {group: dict(v) for group, v in self._store.options(self.links.get(name)).items()}
        core = options.setdefault("servicegroup", {})
        core |= {**self._store.times.options(), "driver": self._store.driver, "host": name}
        if self._schedule.guardian:
            core["guardian"] = True
        self._actors[name].begin("open", self.life(name), journal, options, self._schedule.defect)

    def _join_all(self, name: str) -> None:
        joining = self._orders[name] = set()
        for member in PROCESSES[name]:
            if self._holder.get(member, name) != name and member not in self._dead:
                continue
            if member in self.in_flight():  # somebody else has been told something about it
                continue
            joining.add(member)
            self._actors[name].begin("join", member, {"life": self.life(name)})
            self._believe("join", member, name)

    def in_flight(self) -> set[str]:
        """Name the members about which an order is not carried out yet."""
        busy = {name for name, actor in self._actors.items() if actor.busy}
        return {member for name in busy for member in self._orders.get(name, ())}

    def _believe(self, what: str, member: str, by: str) -> None:
        if what == "join":
            self._holder[member] = by
            self._dead.discard(member)
            self._doubtful.discard(member)
            self._recorded.add(member)
            self._removed.discard(member)
        elif what in ("leave", "remove", "delete"):
            self._holder.pop(member, None)
            self._dead.discard(member)
        if what == "force_down":
            self._forced.add(member)
        elif what in ("unforce_down", "delete"):
            self._forced.discard(member)
        if what == "delete":
            self._recorded.discard(member)
        if what in ("remove", "delete"):
            self._removed.add(member)

    def _doubt(self, member: str, ago: float = 0.0) -> None:
        """Note that nobody knows what is right on this member, until it joins again."""
        self._doubtful.add(member)
        self._journal.note("doubtful", begin=time.monotonic() - ago, member=member)
