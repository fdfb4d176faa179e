"""Settings are checked together, at construction, and the error says what would work."""

import pytest
from oslo_config import cfg

from servicegroup import config, exceptions, loading


@pytest.fixture
def conf():
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[], default_config_dirs=[])
    config.register(conf)
    return conf


def test_the_defaults_are_those_that_operators_know(conf):
    settings = config.settings(conf)
    assert settings.driver == "db"
    assert (settings.report_interval, settings.service_down_time) == (10.0, 60.0)
    assert (settings.record_interval, settings.record_down_time) == (30.0, 120.0)
    assert settings.use_records
    assert settings.call_timeout < settings.report_interval


def test_no_room_for_a_lost_beat_is_refused_with_the_remedy(conf):
    conf.set_override("report_interval", 30.0, config.GROUP)
    conf.set_override("service_down_time", 98.0, config.GROUP)
    with pytest.raises(exceptions.ConfigurationError, match="use at least 99") as caught:
        config.settings(conf)
    assert "service_down_time=98" in str(caught.value)
    assert "report_interval=30" in str(caught.value)


def test_exactly_room_enough_is_enough(conf):
    conf.set_override("report_interval", 0.7, config.GROUP)
    conf.set_override("service_down_time", 2.31, config.GROUP)  # 3.3 * 0.7 is a little more
    assert config.settings(conf).service_down_time == 2.31


def test_records_have_a_window_of_their_own(conf):
    conf.set_override("record_interval", 100.0, config.GROUP)
    assert config.settings(conf).record_down_time == 400.0
    conf.set_override("record_down_time", 300.0, config.GROUP)
    with pytest.raises(exceptions.ConfigurationError, match="record_down_time"):
        config.settings(conf)


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("report_interval = soon", "soon"),
        ("report_interval = -1", "report_interval"),
        ("poll_interval = 0", "poll_interval"),
        ("use_records = perhaps", "perhaps"),
    ],
)
def test_values_of_the_wrong_kind_name_themselves(tmp_path, line, names):
    path = tmp_path / "bad.conf"
    path.write_text(f"[servicegroup]\n{line}\n")
    conf = cfg.ConfigOpts()
    conf(["--config-file", str(path)], project="servicegroup")
    with pytest.raises(exceptions.ConfigurationError, match=names):
        config.settings(conf)


@pytest.mark.parametrize("value", ["nan", "inf", "1e300"])
@pytest.mark.parametrize(
    "option", ["report_interval", "service_down_time", "poll_interval", "stop_deadline"]
)
def test_times_that_no_clock_knows_are_refused(monkeypatch, conf, option, value):
    monkeypatch.setenv(f"OS_SERVICEGROUP__{option}".upper(), value)
    words = rf"\[servicegroup\] {option}=.* is no time: use at most 1e\+09 seconds"
    with pytest.raises(exceptions.ConfigurationError, match=words):
        config.settings(conf)


def test_records_follow_the_driver_and_the_database(conf):
    conf.set_override("driver", "memory", config.GROUP)
    assert not config.settings(conf).use_records
    conf.set_override("connection", "sqlite:////tmp/x", config.DATABASE_GROUP)
    assert config.settings(conf).use_records


def test_the_db_driver_cannot_do_without_records(conf):
    conf.set_override("use_records", False, config.GROUP)
    with pytest.raises(exceptions.ConfigurationError, match="use_records=false"):
        config.settings(conf)


def test_the_host_name_of_a_container_can_be_passed_in(conf, monkeypatch):
    monkeypatch.setenv("HOST_HOSTNAME", "rack-3")
    assert config.settings(conf).host == "rack-3"
    conf.set_override("host", "node-1", config.GROUP)
    assert config.settings(conf).host == "node-1"


def test_the_gap_that_counts_as_unbroken_leaves_room_for_the_way_back(conf):
    settings = config.settings(conf)
    assert settings.steady_gap == pytest.approx(60 - 21)
    conf.set_override("service_down_time", 33.0, config.GROUP)
    assert config.settings(conf).steady_gap == pytest.approx(1.2 * settings.report_interval)


def test_an_unknown_driver_lists_what_is_installed():
    with pytest.raises(exceptions.DriverNotFound, match="db") as caught:
        loading.load("etcd9")
    assert "'etcd9' is not installed" in str(caught.value)


def test_a_driver_whose_library_is_missing_names_the_extra(monkeypatch):
    error = loading._broken("zookeeper", "driver", ModuleNotFoundError("No module named 'kazoo'"))
    assert "pip install 'servicegroup[zookeeper]'" in str(error)


def test_a_driver_of_several_names_is_one():
    assert loading.aliases()["zookeeper"] == ["zk"]
    assert loading.aliases()["memcache"] == ["mc", "memcached"]
    assert set(loading.aliases()).issubset(loading.installed())


def test_the_sample_holds_every_option_with_its_help():
    groups = dict(loading.list_opts())
    assert {"servicegroup", "servicegroup_database"} <= groups.keys()
    names = {option.name for option in groups["servicegroup"]}
    assert {"driver", "report_interval", "service_down_time"} <= names
    for options in groups.values():
        assert all(option.help for option in options)


def test_options_are_registered_on_the_conf_that_is_passed_in():
    one, other = cfg.ConfigOpts(), cfg.ConfigOpts()
    config.register(one)
    config.register(one)
    assert "servicegroup" in one
    assert "servicegroup" not in other


@pytest.mark.parametrize("file", ["", "report_interval = 3"])
def test_values_from_the_environment_name_their_variable(monkeypatch, tmp_path, file):
    monkeypatch.setenv("OS_SERVICEGROUP__REPORT_INTERVAL", "soon")
    path = tmp_path / "good.conf"
    path.write_text(f"[servicegroup]\n{file}\n")
    conf = cfg.ConfigOpts()
    conf([f"--config-file={path}"], default_config_dirs=[])
    with pytest.raises(exceptions.ConfigurationError) as caught:
        config.settings(conf)
    assert str(caught.value) == (
        "[servicegroup] Value for option report_interval from OS_SERVICEGROUP__REPORT_INTERVAL "
        "is not valid: could not convert string to float: 'soon'"
    )


@pytest.mark.parametrize(
    ("lines", "table", "words"),
    [
        ("policy = modulo", None, r"\[servicegroup_conductor\].*policy.*'modulo'"),
        ("policy = bounded\nbounded_load = 0.5", None, "bounded_load"),
        ("policy = bounded\nbounded_load = inf", None, "bounded_load=inf bounds nothing"),
        ("policy = static", None, "leaves all nodes without a conductor: set static_table"),
        ("static_otherwise = c1", None, "static_otherwise says nothing with policy=ring"),
        ("policy = static\nstatic_otherwise = :80", None, "static_otherwise: host name ':80'"),
        ("policy = static\nstatic_table = {}", None, "cannot be read: No such file"),
        ("policy = static\nstatic_table = {}", "[]", r'is not a JSON object of {"uuid of a node"'),
        ("policy = static\nstatic_table = {}", "{", "is not a JSON object"),
        ("policy = static\nstatic_table = {}", "\xff", "is not a JSON object"),
        ("policy = static\nstatic_table = {}", '{"u": 7}', "node 'u': host name must be text"),
        ("policy = static\nstatic_table = {}", '{"u": "a", "u": "b"}', "'u' is in it 2 times"),
    ],
)
def test_policies_that_cannot_be(tmp_path, lines, table, words):
    path, named = tmp_path / "bad.conf", tmp_path / "table.json"
    path.write_text("[servicegroup_conductor]\n" + lines.format(named) + "\n")
    if table is not None:
        named.write_text(table, encoding="latin-1")
    conf = cfg.ConfigOpts()
    conf([f"--config-file={path}"], default_config_dirs=[])
    with pytest.raises(exceptions.ConfigurationError, match=words):
        config.settings(conf)
