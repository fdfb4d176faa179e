"""Figures as a Markdown table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from benchmarks.figures import BARE, COLUMNS, NAIVE, TOOZ, Figure
from benchmarks.targets import judged


def table(figures: Sequence[Figure], place: str = "") -> str:
    """Return a Markdown table, without columns that would be empty."""
    return markdown(_columns(figures, place))


def markdown(columns: Mapping[str, Sequence[str]]) -> str:
    """Return columns of equal length as a table, without those that would be empty."""
    kept = {name: cells for name, cells in columns.items() if any(cells)}
    widths = [max(len(name), *map(len, cells)) for name, cells in kept.items()]
    rows = [list(kept), *map(list, zip(*kept.values(), strict=True))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _columns(figures: Sequence[Figure], place: str) -> dict[str, list[str]]:
    verdicts = [judged(figure, figures, place) for figure in figures]
    columns = {
        "operation": [figure.operation for figure in figures],
        "members": ["" if one.members is None else f"{one.members:,}" for one in figures],
        "servicegroup": [shown(figure.ours, figure.unit) for figure in figures],
    }
    for name in COLUMNS:
        columns[name] = [_other(figure, name) for figure in figures]
        if name == BARE:
            columns["ratio"] = ["" if one.ratio is None else f"{one.ratio:.2f}" for one in figures]
        if name in (TOOZ, NAIVE):
            columns[f"faster than {name}"] = [_times(figure.times(name)) for figure in figures]
    columns["target"] = ["; ".join(words for words, _ in one) for one in verdicts]
    columns[" "] = [
        "; ".join(_verdict(one) or ([figure.note] if figure.note else []))
        for figure, one in zip(figures, verdicts, strict=True)
    ]
    return columns


def _verdict(verdicts: Sequence[tuple[str, bool]]) -> list[str]:
    if not verdicts:
        return []
    failed = [words for words, reached in verdicts if not reached]
    if not failed:
        return ["reached"]
    return ["missed" if len(verdicts) == 1 else f"missed: {', '.join(failed)}"]


def _other(figure: Figure, column: str) -> str:
    if column in figure.others:
        return shown(figure.others[column], figure.unit)
    smaller = figure.elsewhere.get(column)
    if smaller is None:
        return ""
    return f"{shown(smaller.rival, figure.unit)} at {smaller.members:,}"


def _times(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}x" if value >= 10 else f"{value:.1f}x"


def shown(value: float, unit: str) -> str:
    """Return a measurement in a unit that suits its size."""
    if unit == "B":
        return f"{value:,.0f} B"
    for size, name in _units():
        if value >= size:
            rounded = float(f"{value / size:.3g}")
            return f"{rounded:,.0f} {name}" if rounded >= 1000 else f"{rounded:g} {name}"
    return f"{value / 1e-6:.2g} µs"


def _units() -> Iterator[tuple[float, str]]:
    yield from ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
