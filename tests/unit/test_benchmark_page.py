"""What a table of the benchmark says: ratios, targets, and rivals that are too slow."""

import time

import pytest

from benchmarks.figures import BARE, TOOZ, Elsewhere, Figure
from benchmarks.pace import Pace
from benchmarks.page import merged
from benchmarks.rivals import TooSlow
from benchmarks.summary import BEGIN, END, summary
from benchmarks.table import table
from benchmarks.targets import judged, missed


def cells(figures, place):
    """Return the rows of a table, each by its columns."""
    head, _, *rows = (
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in table(figures, place).splitlines()
    )
    return [dict(zip(head, row, strict=True)) for row in rows]


def test_a_ratio_is_ours_by_the_bare_clients():
    (row,) = cells([Figure("is_up by query", 10_000, 3e-4, {BARE: 2e-4, TOOZ: 9e-3})], "zookeeper")
    assert row["servicegroup"] == "300 µs"
    assert row["bare client"] == "200 µs"
    assert row["ratio"] == "1.50"
    assert row["faster than tooz"] == "30x"
    assert row["target"] == "at most 1.5x; 20x faster than tooz"
    assert row[""] == "reached"
    assert "SQLAlchemy Core" not in row, "a column that would be empty is left out"


def test_who_is_too_slow_is_shown_and_compared_where_it_was_quick_enough():
    slow = {TOOZ: Elsewhere(1_000, rival=25.0, ours=0.005)}
    operation = "full objects, tooz one by one"
    figure = Figure(operation, 10_000, 0.05, {BARE: 0.04}, slow)
    (row,) = cells([figure], "memcache")
    assert row["tooz"] == "25 s at 1,000"
    assert row["faster than tooz"] == "5,000x"
    assert ("1,000x faster than tooz", True) in judged(figure, [figure], "memcache")


@pytest.mark.parametrize(("ratio", "words"), [(1.504, []), (1.6, ["at most 1.5x"])])
def test_what_is_missed_is_named(ratio, words):
    figure = Figure("full objects", 10_000, ratio, {BARE: 1.0, TOOZ: 100.0})
    assert [one.partition("(")[2].rstrip(")") for one in missed([figure], "zookeeper")] == words


def test_targets_for_large_groups_say_nothing_of_small_ones():
    assert judged(Figure("full objects", 100, 9.0, {BARE: 1.0}), [], "zookeeper") == []


def test_a_target_may_depend_on_another_figure_of_the_same_size():
    first = [Figure("full objects", size, 1.0) for size in (10_000, 50_000)]
    again = Figure("full objects, seen before", 50_000, 0.6)
    assert ("half the first look", False) in judged(again, first, "memcache")
    assert ("half the first look", True) in judged(again._replace(ours=0.5), first, "memcache")


def test_events_are_to_be_as_quick_among_many():
    few = Figure("event: change to CHANGED", 100, 0.001, {BARE: 0.0005})
    many = few._replace(members=10_000, ours=0.0015)
    slow = few._replace(members=10_000, ours=0.0021)
    assert ("flat in members", True) in judged(many, [few, many], "zookeeper")
    assert ("flat in members", False) in judged(slow, [few, slow], "zookeeper")


def test_places_are_shown_side_by_side_at_the_same_size():
    def figures(ours):
        small = Figure("full objects", 100, ours / 100)
        return [Figure("beat of a process, 1 member", None, ours), small, small._replace(ours=ours)]

    large = [one._replace(members=50_000) for one in figures(0.5)[1:2]]
    page = summary({"SQLite": figures(0.1), "memcached": figures(0.2) + large})
    (row,) = (line for line in page.splitlines() if line.startswith("| full objects"))
    assert "with 100 members" in page
    assert [cell.strip() for cell in row.strip("|").split("|")] == [
        "full objects",
        "100 ms",
        "200 ms",
    ]
    assert page.index(BEGIN) < page.index(row) < page.index(END)


class TestMerged:
    OLD = "old head\n\n## SQLite 3.1 (WAL)\n\nold\n\n## Conductors and nodes\n\nring\n"
    SIDE = "\n## Side by side\n\n{}\n"

    def test_what_was_not_measured_again_stays(self):
        new = "new head\n\n## SQLite 3.2 (WAL)\n\nnew\n" + self.SIDE.format("new")
        page = merged(self.OLD + self.SIDE.format("old"), new, whole=False)
        assert page == (
            "old head\n\n## SQLite 3.2 (WAL)\n\nnew\n\n"
            "## Conductors and nodes\n\nring\n" + self.SIDE.format("old")
        )

    def test_a_whole_run_says_what_stands_before_and_after(self):
        new = "new head\n\n## memcached 1.6\n\nnew\n" + self.SIDE.format("new")
        page = merged(self.OLD + self.SIDE.format("old"), new, whole=True)
        assert page.startswith("new head\n\n## SQLite 3.1")
        assert page.index("ring") < page.index("memcached") < page.index("Side by side")
        assert page.endswith(self.SIDE.format("new"))

    def test_the_first_page_is_what_was_measured(self):
        assert merged("", self.OLD, whole=False) == self.OLD


class TestPace:
    def test_works_are_run_in_turns(self):
        ran = []
        works = {name: lambda name=name: ran.append(name) for name in "ab"}
        medians = Pace(60.0, 1).medians(works, between=lambda: ran.append("-"), most=3)
        assert list(medians) == ["a", "b"]
        assert "".join(ran) == "a-b-" + "a-b-" * 3

    def test_a_work_that_is_too_slow_is_left_out(self):
        def slow():
            raise TooSlow

        assert list(Pace(0.0, 1).medians({"a": slow, "b": time.monotonic})) == ["b"]

    def test_unless_it_told_how_long_it_takes(self):
        asked = []

        def slow():
            asked.append(1)
            raise TooSlow(90.0)

        medians = Pace(0.0, 1).medians({"a": slow, "b": time.monotonic})
        assert (medians["a"], len(asked)) == (90.0, 1)

    def test_a_first_time_that_prepares_does_not_count(self):
        clock = iter([0.0, 3.0, *range(100, 200)])  # three seconds at first, one from then on
        assert Pace(1.0, 3, lambda: next(clock)).medians({"a": lambda: None}) == {"a": 1}

    def test_what_is_used_up_is_not_used_twice(self):
        left = iter(range(5))
        Pace(60.0, 1).medians({"a": lambda: next(left)}, most=4)
        assert list(left) == []
