"""What was measured, what it is held against, and how both are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

#: The size at which the targets for listings are set.
LARGE = 10_000


class Figure(NamedTuple):
    """One measurement, in seconds (or bytes): ours, the bare client's, SQLAlchemy Core's."""

    operation: str
    members: int | None
    ours: float
    bare: float | None = None
    core: float | None = None
    unit: str = "s"
    note: str = ""

    @classmethod
    def of(cls, operation: str, members: int | None, times: Sequence[float]) -> Figure:
        """Return the figure of *times* in the order of the fields."""
        return cls(operation, members, *times)  # type: ignore[arg-type]

    @property
    def ratio(self) -> float | None:
        """How many times the bare client's time ours is."""
        return None if self.bare is None else self.ours / self.bare


class Target(NamedTuple):
    """What a figure should reach; *applies* tells where."""

    operation: str
    words: str
    met: Callable[[Figure], bool]
    databases: Sequence[str] = ()  # all
    only_large: bool = True

    def judged(self, figure: Figure, database: str) -> bool | None:
        """Whether *figure* reaches this; ``None`` where it says nothing of it."""
        if not figure.operation.startswith(self.operation):
            return None
        if self.databases and database not in self.databases:
            return None
        if self.only_large and figure.members is not None and figure.members < LARGE:
            return None
        return self.met(figure)


def _ratio(limit: float) -> Callable[[Figure], bool]:
    return lambda figure: figure.ratio is not None and round(figure.ratio, 2) <= limit


def _below(limit: float) -> Callable[[Figure], bool]:
    return lambda figure: figure.ours < limit


SERVERS = ("postgresql", "mariadb")
TARGETS = (
    Target("ids and verdicts", "at most 1.5x", _ratio(1.5)),
    Target("full objects", "at most 2.5x", _ratio(2.5)),
    Target("beat", "at most 1.5x", _ratio(1.5), SERVERS, only_large=False),
    Target("beat", "under 0.1 ms", _below(1e-4), ("sqlite",), only_large=False),
    Target("is_up by a watch", "under 1 µs", _below(1e-6), only_large=False),
    Target("memory of a watch", "at most 2 kB a member", lambda figure: figure.ours <= 2000),
    Target("import servicegroup", "under 150 ms", _below(0.150), only_large=False),
)

_HEAD = (
    "operation",
    "members",
    "servicegroup",
    "bare client",
    "ratio",
    "SQLAlchemy Core",
    "target",
    "",
)


def table(figures: Iterable[Figure], database: str = "") -> str:
    """Return a Markdown table."""
    rows = [_cells(figure, database) for figure in figures]
    empty = [index for index in range(len(_HEAD)) if not any(row[index] for row in rows)]
    rows = [_HEAD, *rows]
    kept = [[cell for at, cell in enumerate(row) if at not in empty] for row in rows]
    widths = [max(len(row[at]) for row in kept) for at in range(len(kept[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in kept
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def missed(figures: Iterable[Figure], database: str) -> list[Figure]:
    """Return the figures that miss a target."""
    return [f for f in figures if any(t.judged(f, database) is False for t in TARGETS)]


def _cells(figure: Figure, database: str) -> tuple[str, ...]:
    verdicts = [(t.words, t.judged(figure, database)) for t in TARGETS]
    words, reached = next((v for v in verdicts if v[1] is not None), ("", None))
    return (
        figure.operation,
        "" if figure.members is None else f"{figure.members:,}",
        _shown(figure.ours, figure.unit),
        "" if figure.bare is None else _shown(figure.bare, figure.unit),
        "" if figure.ratio is None else f"{figure.ratio:.2f}",
        "" if figure.core is None else _shown(figure.core, figure.unit),
        words,
        {None: figure.note, True: "reached", False: "missed"}[reached],
    )


def _shown(value: float, unit: str) -> str:
    if unit == "B":
        return f"{value:,.0f} B"
    for size, name in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if value >= size:
            return f"{value / size:.3g} {name}"
    return f"{value / 1e-6:.2g} µs"
