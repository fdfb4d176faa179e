"""What may be wrong with a back end of tooz's, and what its outages do to a running process."""

import importlib.metadata
import json

import pytest
from oslo_config import cfg
from tooz import coordination
from tooz.drivers.file import FileDriver

from servicegroup import ConfigurationError, DriverUnavailable, ServiceGroup, config, loading
from servicegroup.drivers.tooz import options


def configured(url, **more):
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[], default_config_dirs=[])
    config.register(conf)
    loading.register_options(conf, loading.load("tooz"))
    values = {"report_interval": 0.2, "service_down_time": 2.0, "stop_deadline": 1.0, **more}
    for name, value in {"driver": "tooz", **values}.items():
        conf.set_override(name, value, config.GROUP)
    if url is not None:
        conf.set_override("backend_url", url, options.GROUP)
    return conf


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (None, "backend_url is not set, and driver=tooz needs it: redis://"),
        ("  ", "backend_url is not set"),
        ("redis", "does not begin with the name of a back end"),
        ("redis:secret@host", "does not begin with the name of a back end"),
        ("redis://user:secret@host:port", "is no URL"),
        ("redis://[::1", "is no URL"),
        ("redis://user:secret/more@host", "is no URL: .*%2F"),
        ("redis://user:secret\u2100@host", "is no URL"),
        ("etcd9://user:secret@host", "names 'etcd9', which tooz has no back end for; .*redis"),
        ("file://", "names no folder: file:///FOLDER"),
        ("zookeeper://user:secret@host", r"use \[servicegroup\] driver=zookeeper instead"),
        ("mysql://user:secret@host/db", r"use \[servicegroup\] driver=db instead"),
        ("kubernetes://", r"use \[servicegroup\] driver=k8s instead"),
    ],
)
def test_a_url_that_cannot_work(url, words):
    with pytest.raises(ConfigurationError, match=words) as caught:
        ServiceGroup(configured(url))
    assert "[servicegroup_tooz] backend_url" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_library_that_is_missing(monkeypatch):
    def load(entry):
        raise ModuleNotFoundError("No module named 'redis'")

    monkeypatch.setattr(importlib.metadata.EntryPoint, "load", load)
    with pytest.raises(ConfigurationError, match=r"pip install 'tooz\[redis\]'"):
        options._require("redis")


def test_a_back_end_without_groups(tmp_path, monkeypatch):
    plain = coordination.CoordinationDriver.get_members_with_capabilities
    monkeypatch.setattr(FileDriver, "get_members_with_capabilities", plain)
    words = "'file' back end has no groups"
    group = ServiceGroup(configured(f"file://{tmp_path}"))
    with group, pytest.raises(ConfigurationError, match=words):
        group.join("g", "m")


@pytest.mark.parametrize("scheme", ["redis", "memcached", "etcd3+http"])
def test_a_back_end_that_nobody_answers_for(scheme):
    with ServiceGroup(configured(f"{scheme}://127.0.0.1:1?unread=secret")) as group:
        with pytest.raises(DriverUnavailable, match=r"127\.0\.0\.1:1") as caught:
            group.groups()
        assert "secret" not in str(caught.value)
        assert isinstance(caught.value.__cause__, coordination.ToozError)


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    group = ServiceGroup(configured(f"file://{tmp_path}/file/folder"))
    with group, pytest.raises(DriverUnavailable):
        group.join("g", "m")


def test_entries_of_others_are_left_out(redis):
    redis.flush()
    url = f"redis://{redis.address}"
    with ServiceGroup(configured(url)) as group:
        group.join("g", "m")
        other = coordination.get_coordinator(url, b"i.somebody")
        other.start()
        texts = ("junk", "[1", "[1]", '[1,["g"],0]', '[1,"g",0,7]', '[1,"g","0"]', '[2,"g",0]')
        strange = (*texts, [1, "g", 0, 7])
        for said in (*({"servicegroup": one} for one in strange), {"a": 1}, None):
            other.join_group(b"servicegroup.m.g", said).get()
            assert [status.member_id for status in group.get_members("g")] == ["m"]
            assert group.groups() == ["g"]
            other.leave_group(b"servicegroup.m.g").get()
        other.stop()


def test_evidence_of_others_is_left_out(redis):
    """Who reads what somebody damaged can join and beat, and takes nobody for over."""
    redis.flush()
    url = f"redis://{redis.address}"
    with ServiceGroup(configured(url)) as group:
        with group.join("g", "m") as membership:
            own = membership.member.instance_id
        other = coordination.get_coordinator(url, f"n.{own}.damaged".encode())
        other.start()
        good = ["m", own, 99]
        strange = (
            "junk",
            [1],
            [1, "g"],
            [1, ["g"], "left", good],
            [1, "g", "left", ["m", own, "99"]],
            [1, "g", "taken", ["m", own, None]],
            [1, "g", "left", good, ["m", own]],
            [1, "g", "left", good, 7],
            [1, "g", "left", [["m"], own, 99]],
            [1, "g", "somehow", good],
            [1, "g", ["left"], good],
            [1, "g", "ended", "0", "reason"],
            [1, "g", "ended", 99, None],
            [1, "g", "ended", 99],
        )
        for what in strange:
            other.join_group(b"servicegroup.e.g", {"servicegroup": json.dumps(what)}).get()
            with group.join("g", "m") as membership:
                assert membership.member.incarnation < 99
                assert group.is_up("g", "m", unknown=False), what
                assert group.groups() == ["g"]
            other.leave_group(b"servicegroup.e.g").get()
        other.stop()


@pytest.fixture
def eventually():
    import time

    def eventually(condition, seconds=20.0):
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until
            time.sleep(0.02)

    return eventually


def test_a_flushed_store_is_filled_again(redis, eventually):
    redis.flush()
    url = f"redis://{redis.address}"
    with ServiceGroup(configured(url)) as one, ServiceGroup(configured(url)) as other:
        member = one.join("g", "m", attributes={"zone": "a"})
        redis.flush()
        eventually(lambda: other.is_up("g", "m", unknown=False))
        assert other.get_members("g")[0].attributes == {"zone": "a"}
        assert member.alive


def test_a_server_that_was_restarted_without_its_data(redis_server, eventually):
    server = redis_server()
    url = f"redis://{server.address}"
    with ServiceGroup(configured(url)) as one, ServiceGroup(configured(url)) as other:
        member = one.join("g", "m")
        server.kill()
        with pytest.raises(DriverUnavailable):
            other.get_members("g")
        eventually(member.lost.is_set)
        server.start()
        eventually(lambda: other.is_up("g", "m", unknown=False))
        eventually(lambda: member.alive)


def test_closing_while_the_server_is_a_black_hole(redis_server, caplog):
    server = redis_server()
    one = ServiceGroup(configured(f"redis://{server.address}"))
    one.join("g", "m")
    server.pause()
    one.close()
    assert "could not leave with 1 members" in caplog.text
    server.resume()


def test_it_moves_like_any_other(redis, tmp_path, eventually):
    """A fleet that is judged by a database reports to it, too."""
    redis.flush()
    url = f"redis://{redis.address}"
    conf = configured(url, driver="memory", report_to=["tooz"])
    with ServiceGroup(conf) as one, ServiceGroup(configured(url)) as other:
        one.join("g", "m")
        eventually(lambda: one.readiness()[0].ready)
        assert other.is_up("g", "m")
