"""Nova's servicegroup API on our drivers, with the odd values that its callers pass."""

from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace

import pytest
from oslo_config import cfg

from servicegroup import InvalidMember
from servicegroup.compat import nova
from servicegroup.compat.nova import API
from servicegroup.compat.shared import shared


@pytest.fixture
def make_api(make_conf):
    def make_api(interval=10, down=60, driver=None):
        conf = make_conf(
            cfg.IntOpt("report_interval", default=interval),
            cfg.IntOpt("service_down_time", default=down),
            cfg.StrOpt("host", default="host-1"),
            driver=driver,
        )
        return API(conf=conf)

    return make_api


class MessagingTimeout(Exception):
    pass


class ServiceNotFound(Exception):
    pass


class Row:
    """Nova's Service object, as far as the reports need it."""

    binary, host = "nova-compute", "host-1"

    def __init__(self):
        self.report_count, self.fails = 0, None

    def save(self):
        if self.fails is not None:
            raise self.fails


class Timers(list):
    def add_timer_args(self, interval, work, args=(), initial_delay=None):
        self.append((interval, work, args, initial_delay))


@pytest.fixture
def service():
    return SimpleNamespace(
        report_interval=10, tg=Timers(), service_ref=Row(), binary="nova-compute"
    )


def ago(seconds):
    return datetime.now(UTC) - timedelta(seconds=seconds)


def fresh():
    """Return a time that counts, when the test runs: not when this file is read."""
    return ago(5)


def old():
    return ago(100)


@pytest.mark.parametrize(
    ("times", "up"),
    [
        (lambda: {"last_seen_up": fresh()}, True),
        (lambda: {"last_seen_up": old()}, False),
        (lambda: {"last_seen_up": None, "created_at": fresh()}, True),
        (lambda: {"last_seen_up": old(), "updated_at": fresh()}, False),
        (lambda: {"last_seen_up": fresh().replace(tzinfo=None)}, True),
        (lambda: {"last_seen_up": fresh().astimezone(timezone(timedelta(hours=2)))}, True),
        (lambda: {"last_seen_up": fresh().strftime("%Y-%m-%dT%H:%M:%S.%f")}, True),
        (lambda: {"last_seen_up": fresh().strftime("%Y-%m-%dT%H:%M:%S")}, True),
        (lambda: {"last_seen_up": fresh().strftime("%Y-%m-%dT%H:%M:%SZ")}, True),
        (lambda: {"last_seen_up": ago(-30)}, True),  # a clock ahead of ours, within the window
        (lambda: {"last_seen_up": ago(-100)}, False),
        (lambda: {"last_seen_up": fresh(), "forced_down": True}, False),
    ],
)
def test_the_row_decides_as_ever(make_api, times, up):
    assert make_api().service_is_up({"host": "h", "topic": "compute", **times()}) is up


def test_a_row_without_any_time_is_an_error_that_names_the_service(make_api):
    row = {"host": "h", "topic": "compute", "binary": "nova-compute", "last_seen_up": None}
    with pytest.raises(InvalidMember, match="whether nova-compute on h is up: it has neither"):
        make_api().service_is_up(row)


def test_a_driver_beside_the_row_takes_it_down_too(make_api, service, store, monkeypatch):
    monkeypatch.setattr(nova, "LOOK_LASTS", 0.0)
    api, looking = make_api(driver="memory"), make_api(driver="memory")
    row = {"host": "host-1", "topic": "compute", "last_seen_up": fresh(), "updated_at": None}
    assert not looking.service_is_up(row)  # it has not joined
    membership = api.join("host-1", "compute", service)
    while not membership.alive:
        membership.lost.wait(0.01)
    assert looking.service_is_up(row)
    assert not looking.service_is_up({**row, "last_seen_up": ago(1000)})
    assert abs((looking.get_updated_time(row) - datetime.now(UTC)).total_seconds()) < 10
    later = datetime.now(UTC) + timedelta(hours=1)
    assert looking.get_updated_time({**row, "updated_at": later}) == later
    store.unavailable = True
    assert looking.service_is_up(row)  # the store can say nothing: the row stands
    store.unavailable = False
    assert looking.leave("compute", "host-1")
    assert not looking.service_is_up(row)


def test_many_questions_are_one_look(make_api, monkeypatch):
    api = make_api(driver="memory")
    group = api._driver._group
    for number in range(50):
        group.join("compute", f"h{number}")
    asked = []
    observer = group._process.observer
    look = observer.look
    monkeypatch.setattr(
        observer, "look", lambda *what, **how: asked.append(what) or look(*what, **how)
    )
    for number in range(50):
        row = {"host": f"h{number}", "topic": "compute", "last_seen_up": fresh()}
        assert api.service_is_up(row)
    assert asked == [("compute",)]


def test_all_apis_of_a_process_share_one_service_group(make_conf, make_api):
    api = make_api(driver="memory")
    again = API(conf=api._driver._group._conf)
    assert again._driver._group is api._driver._group
    assert shared(api._driver._group._conf) is api._driver._group


def test_the_timer_is_the_services_own_and_slower_beside_a_driver(make_api, service):
    api = make_api()
    assert api.join("host-1", "compute", service) is None
    assert service.tg == [(10, api._driver._report_state, [service], 5)]
    service.tg.clear()
    make_api(driver="memory").join("host-1", "compute", service)
    assert service.tg[0][0] == 30.0
    service.tg.clear()
    service.report_interval = 0
    assert make_api(driver="memory").join("host-1", "compute", service) is None
    assert service.tg == []
    with pytest.raises(RuntimeError, match="service is a mandatory argument"):
        api.join("host-1", "compute")


def test_reports_survive_everything_and_say_it_as_nova_does(make_api, service, caplog):
    report, row = make_api()._driver._report_state, service.service_ref
    said = caplog.records

    def reported(error):
        del said[:]
        row.fails = error
        report(service)
        return [(one.levelname, one.getMessage()[:40]) for one in said]

    caplog.set_level("INFO")
    assert reported(None) == []
    lost = ("WARNING", "Lost connection to nova-conductor for re")
    assert reported(MessagingTimeout()) == [lost]
    assert reported(MessagingTimeout()) == []
    assert service.model_disconnected
    assert reported(ServiceNotFound()) == [("ERROR", "The services table record for the nova-c")]
    assert reported(RuntimeError("x")) == [("ERROR", "Unexpected error while reporting service")]
    assert reported(None) == [("INFO", "Recovered from being unable to report st")]
    assert not service.model_disconnected
    assert row.report_count == 6


def test_a_window_shorter_than_the_interval_is_mended_here_and_only_here(make_api, caplog):
    assert make_api(interval=30, down=30)._driver.service_down_time == 75
    assert "it is now 75" in caplog.text
    assert make_api(interval=30, down=31)._driver.service_down_time == 31
    caplog.clear()
    settings = make_api(interval=30, down=60, driver="memory")._driver._group.settings
    assert settings.service_down_time == pytest.approx(99.0)
    assert "[DEFAULT] service_down_time=60 leaves no room for lost beats" in caplog.text
