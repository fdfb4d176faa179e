"""What ``servicegroup doctor`` says of the synchronizer."""

import amqp
import kombu
import pytest

from servicegroup.synchronizer import examination


@pytest.fixture
def examine(scene):
    """Examine; yields {check: (well, result, remedy)}."""

    def examine(plugin="Scripted", **options):
        conf = scene.conf(plugin, **options)
        found = {one.check: one[1:4] for one in examination.examine(conf)}
        for well, _, remedy in found.values():
            assert well or remedy
        return found

    return examine


def test_all_is_well_and_stays_as_it_is(examine, scene, source):
    before = sorted(scene.folder.rglob("*"))
    found = examine()
    assert {check: well for check, (well, _, _) in found.items()} == {
        "plugin sources.scripted:Scripted": True,
        "baseline": True,
    }
    assert "test.other, test.thing" in found["plugin sources.scripted:Scripted"][1]
    assert found["baseline"][1].endswith("will be made at the first start")
    assert sorted(scene.folder.rglob("*")) == sorted({*before, scene.folder / "synchronizer.conf"})


def test_who_does_not_use_it_is_told_nothing(scene):
    assert list(examination.examine(scene.conf(plugins=""))) == []


def test_without_plugins_a_misspelt_option_may_be_why(examine):
    found = examine(groups={"synchronizer": {"plugin": "nagios"}})
    assert list(found) == ["configuration"]
    assert "no option plugin in [synchronizer]" in found["configuration"][1]
    assert found["configuration"][2] == "write plugins"


def test_a_source_that_answers_says_what_it_has(examine, scene):
    file = scene.folder / "static.yaml"
    file.write_text("entities: [{key: switch-1}, {key: switch-2}]")
    well, result, _ = examine("static", own={"path": file})["plugin static"]
    assert well
    assert result == f"delivers static; {file} holds 2 entities"


def test_what_is_wrong_is_told_one_by_one(examine, scene):
    lost = scene.folder / "synchronizer.conf" / "below-a-file" / "baseline.sqlite"
    found = examine(
        "Scripted,Broken,Unknown,static",
        baseline_path=lost,
        python="/nowhere/python",
        pol_interval=3,
        own={"path": scene.folder / "missing.yaml"},
    )
    assert {check for check, (well, _, _) in found.items() if not well} == {
        *("configuration", "interpreter", "baseline", "plugin static"),
        *("plugin sources.scripted:Broken", "plugin sources.scripted:Unknown"),
    }
    assert "no option pol_interval in [synchronizer]" in found["configuration"][1]
    assert found["configuration"][2] == "write poll_interval"
    assert "no such planet" in found["plugin sources.scripted:Broken"][1]
    assert "missing.yaml cannot be read" in found["plugin static"][1]
    assert "[synchronizer_static]" in found["plugin static"][2]
    assert "Not a directory" in found["baseline"][1]


def test_two_that_collect_the_same(examine):
    well, result, _ = examine("Scripted,Narrow")["plugins"]
    assert not well
    assert "both collect" in result


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"hello", "is none of ours"),
        (b"SQLite format 3\0" + b"\0" * 84, "is of version 0"),
    ],
)
def test_a_baseline_that_cannot_be_read_is_told(examine, scene, content, words):
    (scene.folder / "baseline.sqlite").write_bytes(content)
    well, result, _ = examine()["baseline"]
    assert well
    assert words in result


def test_one_that_was_used_is_read_without_being_touched(examine, scene):
    scene.start().stop()
    (scene.folder / "baseline.sqlite.lock").unlink()
    well, result, _ = examine()["baseline"]
    assert well
    assert result.endswith(" bytes")
    assert not (scene.folder / "baseline.sqlite.lock").exists()


def test_a_source_that_hangs_is_given_up(examine, monkeypatch):
    from threading import Event

    from sources.scripted import Scripted

    released = Event()
    monkeypatch.setattr(Scripted, "probe", lambda self: released.wait() and "")
    monkeypatch.setattr(examination, "PATIENCE", 0.05)
    try:
        well, result, _ = examine()["plugin sources.scripted:Scripted"]
    finally:
        released.set()
    assert not well
    assert "no answer within 0.05 s" in result


def test_the_options_of_a_bus_are_known(examine):
    own = {"transport_url": "fake://", "topics": "t", "prefech": 3}
    found = examine("Notified", own=own)
    assert found["plugin sources.scripted:Notified"][0]
    assert "no option prefech" in found["configuration"][1]
    assert found["configuration"][2] == "write prefetch"


@pytest.mark.parametrize(
    ("account", "words"),
    [("guest:guest", "the broker lets us in"), ("nobody:secret", "refuses user 'nobody'")],
)
def test_a_broker_is_asked_and_nothing_is_left_there(examine, rabbitmq, account, words):
    own = {"transport_url": f"rabbit://{account}@{rabbitmq.address}/", "pool": "examined"}
    well, result, _ = examine("Notified", own=own)["plugin sources.scripted:Notified"]
    assert well == (account == "guest:guest")
    assert words in result
    assert "secret" not in result
    with (
        kombu.Connection(f"amqp://guest:guest@{rabbitmq.address}//") as connection,
        pytest.raises(amqp.exceptions.NotFound),
    ):
        connection.default_channel.queue_declare("examined", passive=True)
