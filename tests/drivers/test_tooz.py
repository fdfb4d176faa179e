"""The tooz driver on what it is for: Redis, etcd, memcached and a folder."""

import os

import pytest

from servicegroup.drivers.tooz import coordinator, layout, members, pulse
from servicegroup.testing import DriverConformance, Store, clear_folder
from servicegroup.testing.promises.beating import Beating
from servicegroup.testing.promises.joining import Joining
from servicegroup.testing.promises.leaving import Leaving
from servicegroup.testing.promises.losing import Losses
from servicegroup.testing.promises.updating import Updating
from servicegroup.testing.scene import join


class Clock:
    """How far this process's clock is ahead, for time that passes by hand."""

    ahead = 0.0


@pytest.fixture(autouse=True)
def _clock(monkeypatch):
    boottime = pulse.boottime
    for module in (coordinator, members, pulse):
        monkeypatch.setattr(module, "boottime", lambda: boottime() + Clock.ahead)


def make_store(url, age, lose):
    """An empty store there, whose time passes by hand if it can be made to."""

    def pass_time(seconds):
        age(seconds)
        Clock.ahead += seconds

    options = {"servicegroup_tooz": {"backend_url": url}}
    return Store("tooz", options, age=age and pass_time, lose=lose)


class TestRedis(DriverConformance):
    walks = 5
    steps = 20
    shrink = False

    @pytest.fixture
    def store(self, redis):
        redis.flush()
        with make_store(f"redis://{redis.address}", redis.age, redis.flush) as store:
            yield store


def test_what_says_the_same_is_not_decoded_again(redis, monkeypatch):
    decoded = []
    contents = layout.contents
    monkeypatch.setattr(
        layout, "contents", lambda texts: contents(decoded.extend(texts) or list(texts))
    )
    redis.flush()
    with make_store(f"redis://{redis.address}", None, redis.flush) as store:
        reader, writers = store.driver(), [store.driver() for _ in range(3)]
        members = [join(one, f"m{number}") for number, one in enumerate(writers)]

        def look():
            decoded.clear()
            seen = reader.sightings("compute").members
            return {one.member.member_id: one.member for one in seen}, len(decoded)

        everybody = {one.member_id: one for one in members}
        assert look() == (everybody, 3)
        assert look() == (everybody, 0)
        changed = members[1]._replace(attributes={"x": 1}, revision=1)
        writers[1].update([changed])
        assert look() == ({**everybody, "m1": changed}, 1)
        writers[2].leave([members[2]])
        assert look()[0].keys() == {"m0", "m1"}


def test_a_take_over_between_the_two_calls_of_a_look_is_one(redis, monkeypatch):
    redis.flush()
    with make_store(f"redis://{redis.address}", None, redis.flush) as store:
        reader, first, second, third = (store.driver() for _ in range(4))
        before = join(first, "a")
        reader.sightings("compute")  # connects
        successors, looks = [second, third], []
        entries = coordinator.Coordinator.entries

        def interrupted(self, group):
            found = entries(self, group)
            if self is reader._members._own and group == layout.members_of("compute"):
                looks.append(group)
                if successors:
                    join(successors.pop(0), "a")
            return found

        monkeypatch.setattr(coordinator.Coordinator, "entries", interrupted)
        [seen] = reader.sightings("compute").members
        assert (seen.member.incarnation, seen.ended) == (before.incarnation + 2, None)
        assert len(looks) == 3
        [seen] = reader.sightings("compute").members
        assert seen.member.incarnation == before.incarnation + 2
        assert len(looks) == 4, "a look is two calls again"


class TestMemcached(Joining, Leaving, Losses):
    @pytest.fixture
    def store(self, memcached):
        memcached.flush()
        with make_store(
            f"memcached://{memcached.address}", memcached.age, memcached.flush
        ) as store:
            yield store


class TestFile(Joining, Updating, Beating, Leaving, Losses):
    """An entry cannot be replaced in one step, and it is the reader who says how long it counts."""

    @pytest.fixture
    def store(self, tmp_path):
        groups = tmp_path / "groups"

        def age(seconds):
            for path in groups.glob("*/*.raw"):
                at = path.stat().st_mtime - seconds
                os.utime(path, (at, at))

        def lose():
            if groups.exists():
                clear_folder(groups)

        with make_store(f"file://{tmp_path}", age, lose) as store:
            yield store


class TestEtcd(Joining, Leaving, Losses):
    """Nothing can make its leases older: what waits for time to pass is left out here."""

    @pytest.fixture
    def store(self, etcd, request):
        if "silence" in request.function.__code__.co_names:
            pytest.skip("it would wait for leases to end")
        etcd.clear()
        with make_store(f"etcd3+http://{etcd.address}", None, etcd.clear) as store:
            yield store
