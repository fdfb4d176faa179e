"""What is shown while the store is away: what was seen last, for one service_down_time."""

import itertools

import pytest
from oslo_config import cfg

from servicegroup import DriverUnavailable, ServiceGroup, State, config, loading, watch
from servicegroup.rest import view
from servicegroup.testing.memory import MemoryStore

DOWN = 1000.0
_names = (f"view-{number}" for number in itertools.count())


@pytest.fixture
def store_name():
    """The name of a store that nobody else knows."""
    return next(_names)


def made(store_name, **options):
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[], default_config_dirs=[])
    config.register(conf)
    loading.register_options(conf, loading.load("memory"))
    conf.set_override("store", store_name, "servicegroup_memory")
    settings = {"driver": "memory", "report_interval": 0.1, "poll_interval": 0.05} | options
    for name, value in settings.items():
        conf.set_override(name, value, "servicegroup")
    return ServiceGroup(conf)


@pytest.fixture
def service_group(store_name):
    """One with a member."""
    with made(store_name, service_down_time=DOWN, stop_deadline=0.5) as service_group:
        service_group.join("g", "m")
        yield service_group


@pytest.fixture
def later(monkeypatch):
    """Let the watches and what is made of them believe that so many seconds passed."""
    clock, passed = watch.boottime, [0.0]
    for module in (watch, view):
        monkeypatch.setattr(module, "boottime", lambda: clock() + passed[0], raising=False)

    def later(seconds):
        passed[0] += seconds

    return later


def test_an_empty_group_is_no_group_that_was_never_read(service_group, store_name, later):
    shown = view.View(service_group, ("g", "empty"))
    assert [one.member_id for one in shown.members()] == ["m"]
    MemoryStore.named(store_name).unavailable = True
    later(DOWN / 2)
    assert [one.state for one in shown.members()] == [State.UNKNOWN]
    with pytest.raises(DriverUnavailable):
        view.View(service_group, ("g", "other")).members()


def test_the_time_counts_from_the_loss_not_from_the_question(service_group, store_name, later):
    shown = view.View(service_group, ("g",))
    assert shown.members()
    MemoryStore.named(store_name).unavailable = True
    later(DOWN + 1)  # nobody asked meanwhile
    with pytest.raises(DriverUnavailable):
        shown.members()


def test_who_is_gone_takes_no_room(service_group, later):
    job = service_group.join("job", "m")
    shown = view.View(service_group)
    assert [one.group_id for one in shown.members()] == ["g", "job"]
    stays, ends = (shown._watch(group) for group in ("g", "job"))
    job.leave()
    later(DOWN / 2)
    assert [one.group_id for one in shown.members()] == ["g"]
    assert not ends.closed  # its store may have lost its data
    later(DOWN / 2 + 1)
    shown.members()
    assert (ends.closed, stays.closed) == (True, False)
    shown.verdicts._known.update(dict.fromkeys([("g", str(one)) for one in range(2000)], True))
    shown.members()
    assert len(shown.verdicts._known) <= 1


@pytest.mark.parametrize("what", ["groups", "services"])
def test_what_was_seen_last_is_answered_so_long_and_no_longer(
    service_group, store_name, later, what
):
    ask = getattr(view.View(service_group), what)
    seen = ask()
    assert len(seen) == 1
    MemoryStore.named(store_name).unavailable = True
    later(DOWN / 2)
    assert ask() == seen
    later(DOWN / 2 + 1)
    for _ in range(2):
        with pytest.raises(DriverUnavailable):
            ask()


def test_the_last_one_that_dies_is_called_dead(store_name, until):
    """By whoever serves the lists: nobody else is there to be heard."""
    options = {"service_down_time": 0.5, "use_records": False}
    with made(store_name, **options) as last, made(store_name, **options) as server:
        last.join("g", "m")
        shown = view.View(server)
        assert [one.state for one in shown.services()] == [State.UP]
        last._process.door.driver.heartbeat = lambda instance_id, members: []
        until(lambda: [one.state for one in shown.services()] == [State.DOWN], 60)
        shown.close()
