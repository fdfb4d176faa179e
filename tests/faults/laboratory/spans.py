"""Spans of time, as pairs (begin, end)."""

from collections.abc import Iterable

Span = tuple[float, float]
FOREVER = float("inf")


def overlap(span: Span, others: Iterable[Span]) -> bool:
    """Whether *span* meets any of *others*; touching counts."""
    return any(begin <= span[1] and end >= span[0] for begin, end in others)


def measure(span: Span, others: Iterable[Span]) -> float:
    """How much of *span* is covered by *others*."""
    total, reached = 0.0, span[0]
    for begin, end in sorted(others):
        fresh = (max(begin, reached), min(end, span[1]))
        if fresh[1] > fresh[0]:
            total += fresh[1] - fresh[0]
            reached = fresh[1]
    return total


def longer(spans: Iterable[Span], by: float) -> list[Span]:
    """Let each last longer."""
    return [(begin, end + by) for begin, end in spans]


def first_outside(moment: float, spans: Iterable[Span]) -> float:
    """Return the first time from *moment* on that none of *spans* covers."""
    for begin, end in sorted(spans):
        if begin <= moment < end:
            moment = end
    return moment


def later(moment: float, seconds: float, spans: Iterable[Span]) -> float:
    """Return when *seconds* outside all of *spans* have passed since *moment*."""
    for begin, end in sorted(spans):
        if end > moment and begin < moment + seconds:
            seconds -= max(0.0, begin - moment)
            moment = end
    return moment + seconds
