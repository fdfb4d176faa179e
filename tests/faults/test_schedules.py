"""Schedules are plain data: what is printed can be played again, and a seed gives the same ones."""

import pytest
from faults.laboratory.drawing import LEAST, MOST, SPAN, schedules
from faults.laboratory.schedule import load, parsed
from faults.laboratory.soak import Account, drawn
from faults.laboratory.stores import KINDS
from hypothesis import given
from hypothesis import strategies as st


@given(st.sampled_from(sorted(KINDS)).flatmap(schedules))
def test_what_is_written_is_read_back(schedule):
    assert parsed(schedule.text()) == schedule
    assert LEAST <= len(schedule.steps) <= MOST
    assert [step.at for step in schedule.steps] == sorted(step.at for step in schedule.steps)
    assert schedule.steps[-1].at <= SPAN


@given(schedules("sqlite"))
def test_a_file_has_no_connections_to_fail(schedule):
    assert not {"cut", "refuse", "black_hole"} & {step.fault for step in schedule.steps}


def test_another_format_is_refused(tmp_path):
    path = tmp_path / "schedule.json"
    path.write_text('{"format": 0, "driver": "sqlite", "steps": []}')
    with pytest.raises(ValueError, match="format 1"):
        load(path)


def test_a_seed_always_gives_the_same_schedules():
    first = list(drawn("postgresql", 7))
    assert first == list(drawn("postgresql", 7))
    assert first != list(drawn("postgresql", 8))
    assert len({schedule.seed for schedule in first}) == len(first)


def test_the_next_run_goes_on_where_the_last_one_ended(tmp_path):
    path = tmp_path / "seeds.json"
    account = Account(path, "sqlite")
    account.of_kind["seed"] = 17
    account.save()
    assert Account(path, "sqlite").of_kind["seed"] == 17
    assert Account(path, "zookeeper").of_kind["seed"] == 1
