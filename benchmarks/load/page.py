"""The figures as Markdown: one table a store, with what they should reach."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from benchmarks import machine
from benchmarks.load.beating import Beat, Beating
from benchmarks.load.kills import Kills
from benchmarks.load.plan import Plan
from benchmarks.places import Place

#: Processor time of a client's beat, in times the bare client's.
MOST_PER_BEAT = 1.5

_HEAD = """\
# Load

Made by `make load` on {machine}

The servers, the fleet and the observer share these cores. Every part runs for {seconds:g} s.
Processes beat every {interval:g} s and are down after {down:g} s of silence; where no guardian
tells, every {short_interval:g} s and after {short_down:g} s. Who is not called back looks every
{poll:g} s. *Processor* is user and kernel time in shares of one core, of the server with all its
children and of all processes that hold members. The bare client beats in a loop on one connection,
with nobody else there, and so do we once. Detection runs from `kill -9` of a process to the word of
a watch in another one, while {beside:,} members live on. A false down is any answer or event that
calls somebody down who was not killed.
"""


class Row(NamedTuple):
    """One line; *reached* is ``None`` where there is no target."""

    what: str
    value: str
    target: str = ""
    reached: bool | None = None


class Seen(NamedTuple):
    """All that was measured on one store."""

    place: Place
    beat: Beat
    beating: Sequence[Beating]
    kills: Sequence[Kills]


def head(plan: Plan, libraries: Sequence[str]) -> str:
    """Return what comes before the stores."""
    return _HEAD.format(
        machine=machine.description(libraries),
        seconds=plan.seconds,
        interval=plan.interval,
        down=plan.down_time,
        short_interval=plan.short_interval,
        short_down=plan.short_down_time,
        poll=plan.poll,
        beside=plan.beside,
    )


def section(seen: Seen) -> str:
    """Return one store's part."""
    rows = list(rows_of(seen))
    cells = [("what", "figure", "target", " "), *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join([f"## {seen.place.title}", "", *lines, ""])


def rows_of(seen: Seen) -> Iterator[Row]:
    """Yield the lines of one store's table."""
    bare = seen.beat.bare
    yield Row("processor time of a beat: bare client, loop", _time(bare))
    yield Row("the same, ours", *_per_beat(seen.beat.ours, bare))
    yield Row("bare client, resting between beats", _time(seen.beat.rested))
    yield Row("bare client, in place of the instances below", _time(seen.beat.spread))
    for one in seen.beating:
        yield Row(f"**{one.how}**", "")
        late = f", up to {_time(one.late)} late" if one.late > 0 else ""
        failed = f", {one.failed:,} failed" if one.failed else ""
        due = f"{one.beats:,.1f} of {one.due:,.1f} due{late}{failed}"
        yield Row("beats a second", due)
        if one.writes is not None:
            yield _writes(one.writes / one.beats if one.beats else math.inf)
        yield Row("listing: ids and verdicts", _time(one.verdicts))
        yield Row("listing: full objects", _time(one.listing))
        yield Row("processor: store", "in the clients" if one.store is None else f"{one.store:.2%}")
        yield Row("processor: clients", f"{one.clients:.2%}")
        against = seen.beat.rested if one.rests else seen.beat.spread
        yield Row("processor time of a beat, clients", *_per_beat(one.client_per_beat, against))
        yield _false(one.false_downs, one.unknown)
    for kills in seen.kills:
        how = "with guardian" if kills.guardian else "without guardian"
        yield Row(f"**{len(kills.latencies)} processes killed, {how}**", "")
        yield from _detection(kills)
        yield _false(kills.false_downs, kills.unknown)


def _detection(kills: Kills) -> Iterator[Row]:
    target = f"at most {_time(kills.limit)}"
    judged = 0.99 if kills.guardian else 1.0
    for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0)):
        value = kills.percentile(share)
        if share == judged:
            yield Row(f"detection, {name}", _time(value), target, value <= kills.limit)
        else:
            yield Row(f"detection, {name}", _time(value))


def _per_beat(value: float, bare: float) -> tuple[str, str, bool]:
    ratio = value / bare
    shown = f"{_time(value)}, {ratio:.2f}x" if math.isfinite(ratio) else "no beats"
    return shown, f"at most {MOST_PER_BEAT:g}x", round(ratio, 2) <= MOST_PER_BEAT


def _writes(a_beat: float) -> Row:
    return Row("writes a beat, by the server's count", f"{a_beat:.2f}", "1", a_beat < 1.05)


def _false(downs: int, unknown: int) -> Row:
    note = f" ({unknown:,} times unknown)" if unknown else ""
    return Row("false downs", f"{downs:,}{note}", "0", downs == 0)


def _cells(row: Row) -> tuple[str, str, str, str]:
    verdict = "" if row.reached is None else "reached" if row.reached else "missed"
    return row.what, row.value, row.target, verdict


def _time(seconds: float) -> str:
    if math.isinf(seconds):
        return "never"
    size, name = next(
        (one for one in ((1.0, "s"), (1e-3, "ms")) if seconds >= one[0]), (1e-6, "µs")
    )
    return f"{seconds / size:.3g} {name}"
