"""The page around the tables: machine, versions, method, tables, what was missed."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

from benchmarks import machine
from benchmarks.figures import Figure
from benchmarks.peer import MOST_COORDINATORS, TOLD_AFTER
from benchmarks.places import Place
from benchmarks.rivals import LONGEST
from benchmarks.storm import EACH, PROCESSES
from benchmarks.summary import SIDE_BY_SIDE
from benchmarks.table import table
from benchmarks.targets import missed

_HEAD = """\
# Benchmarks

Made by `make bench` on {machine}

The servers run on the same machine, so that a round trip costs next to nothing: with a network in
between, what takes one request comes closer to the bare client, and what takes one for each member
falls further behind. Each line is the median of runs in turns: servicegroup, the bare client
library, the others, and again. *Ratio* is our time divided by the bare client's.

The bare client keeps one connection and does the best that we could write by hand for just what
the answer needs. tooz is asked on the same server, in the same run, for a group of as many members
with the same attributes; it has no groups in databases. Where one call of it would take longer than
{longest:.0f} s, its figure is that of the largest number of members at which it does not, and it is
compared with ours at that number, unless a line says otherwise.

Every member is of a process of its own and has 130 bytes of attributes in seven fields. There are
no service records but in the database, where they are the members' own rows.

{lines}

{imported}
"""

#: What each line is, and by whose side it stands.
_LINES = {
    "import servicegroup": "`from servicegroup import ServiceGroup` in a fresh interpreter. *Of "
    "it: oslo.config*: `from oslo_config import cfg` alone in another one, which a program that is "
    "configured by it has loaded already.",
    "ids and verdicts": "`sg.states(group)`. Bare: one narrow SELECT of the id, the age by the "
    "server's clock, and a flag for whatever overrules the age.",
    "full objects": "`sg.get_members(group)`, everything of every member with its verdict. Bare: "
    "in a database one SELECT of all columns needed; in ZooKeeper the names in the group, the "
    "contents of all nodes by multiRead and the names of all living processes; in memcached "
    "`get_many` of the index, of the members and of the signs of life; all attributes decoded at "
    "once. tooz: `get_members_with_capabilities`.",
    "full objects, tooz one by one": "the same. tooz: `get_members`, and `get_member_capabilities` "
    "for each member, as services are listed with it; where the whole would take more than "
    "{longest:.0f} s, as told by those that it asks for in {told:.0f} s, in a group of that size.",
    "full objects, seen before": "the same by somebody who holds the members of an earlier look.",
    "full objects, of 10 processes": "the same where ten processes hold all members.",
    "beat": "what a process sends once an interval, however many members it holds. Bare: an UPDATE "
    "of one column of one row by its primary key (PostgreSQL: `synchronous_commit=off` on both "
    "sides); one `exists`; one `touch`.",
    "is_up by query": "`sg.is_up(group, member)` of a member that was asked for before. Bare: the "
    "narrow SELECT of one member; one `exists`; one `get`. tooz: `member in get_members`. *First "
    "look*: of a member that was never asked for nor listed.",
    "is_up by a watch": "`watch.is_up(member)`, its check that the view is current included.",
    "watch: first load": "opening a watch until its view is complete. Bare: full objects. tooz: "
    "`watch_join_group` and `run_watchers`, which know ids alone.",
    "watch: poll, no change": "a look at a whole group in which nothing changed, as a watch that "
    "is not called back makes it. Bare: the cheapest look that tells as much.",
    "memory of a watch": "bytes a member that its view and its consumer's copy keep, counted by "
    "`tracemalloc`; and what the resident set grew by, in another interpreter. Others: what a "
    "listing returned.",
    "join, one": "`sg.join` until it returns. Bare: one INSERT; one ephemeral node; one `append` "
    "and one `set`. These neither look for an older life of the member nor notify or beat.",
    "join, all by one process": "one call of the driver. Bare: one transaction of INSERTs; as few "
    "requests as the server takes. tooz: a coordinator for each member, started and joined one "
    "after another, {coordinators} at most.",
    "event": "from the call that makes a change, after a pause, to the event that tells of it; a "
    "store that cannot call back is polled. Bare: NOTIFY to LISTEN in PostgreSQL; writing a node, "
    "to the watch on it in ZooKeeper. tooz: `join_group` to the callback of `run_watchers`, "
    "called without a pause, or as often as we poll.",
    "join storm": "{processes} processes that join {each} members each, one after another and all "
    "at once, until the last of them has done; and until a watch has told of all.",
}


def head(imported: Sequence[Figure], kinds: Sequence[type[Place]]) -> str:
    """Return what comes before the places."""
    names = [name for one in kinds for name in one.libraries]
    words = {
        "processes": PROCESSES,
        "each": EACH,
        "coordinators": MOST_COORDINATORS,
        "longest": LONGEST,
        "told": TOLD_AFTER,
    }
    lines = [f"- *{name}*: {text.format_map(words)}" for name, text in _LINES.items()]
    return _HEAD.format(
        machine=machine.description(names),
        longest=LONGEST,
        lines="\n".join(textwrap.fill(line, 100, subsequent_indent="  ") for line in lines),
        imported=table(imported),
    )


def section(place: Place, figures: Sequence[Figure]) -> str:
    """Return one place's part."""
    failed = list(dict.fromkeys(missed(figures, place.name)))
    words = f"Missed: {'; '.join(failed)}." if failed else "All targets are reached."
    return f"## {place.title}\n\n{table(figures, place.name)}\n\n{words}\n"


def dated(section: str, seconds: float) -> str:
    """Return a section with when it was measured and how long that took."""
    return f"{section}\nMeasured on {machine.today()} in {seconds:.0f} s.\n"


def foot(seconds: float) -> str:
    """Return what comes last."""
    return f"The whole run took {seconds:.0f} s.\n"


def merged(old: str, new: str, *, whole: bool) -> str:
    """Return the page *old* with the sections of *new* in the places of its own.

    :param whole: *new* is a whole run: what comes before and after the sections is its own
    """
    (before, kept), (head, measured) = _parts(old), _parts(new)
    last = measured.pop(SIDE_BY_SIDE, "")
    sections = kept | measured
    last = (whole and last) or sections.pop(SIDE_BY_SIDE, "") or last
    sections.pop(SIDE_BY_SIDE, None)
    return "".join([head if whole or not old else before, *sections.values(), last])


def _parts(text: str) -> tuple[str, dict[str, str]]:
    """Return what comes before the sections, and these by what their titles begin with."""
    head, *sections = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    return head, {re.split(r" [\d(]|\n", one[3:])[0]: one for one in sections}
