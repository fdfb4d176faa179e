"""``sightings`` and ``groups``: some or all members, and only what changed of those held."""

from __future__ import annotations

from servicegroup.model import Member, Sighting
from servicegroup.testing.scene import GROUP, has_left, join, listed, seen
from servicegroup.testing.store import Store


def life(sighting: Sighting) -> tuple[object, ...]:
    """Return what names a member and its life: all that is there without attributes."""
    one = sighting.member
    return (one.group_id, one.member_id, one.instance_id, one.incarnation, one.revision)


class Seeing:
    """The promises of :meth:`servicegroup.driver.Driver.sightings` and ``groups``."""

    def test_an_empty_group_has_no_members(self, store: Store) -> None:
        driver = store.driver()
        assert seen(driver) == {}
        assert seen(driver, member_ids=["nobody"]) == {}
        assert driver.groups() == []

    def test_some_members_or_all(self, store: Store) -> None:
        driver = store.driver()
        held = {one: join(driver, one, attributes={"id": one}) for one in ("a", "b", "c")}
        join(driver, "a", "other group")
        reader = store.driver()
        assert {key: one.member for key, one in seen(reader).items()} == held
        for wanted in ({"a"}, {"c", "b"}, {"b", "nobody"}, set[str]()):
            found = {key: one.member for key, one in seen(reader, member_ids=wanted).items()}
            assert found == {key: held[key] for key in wanted & held.keys()}

    def test_groups_are_worlds_of_their_own(self, store: Store) -> None:
        driver, other = store.driver(), store.driver()
        here = join(driver, "m", attributes={"in": GROUP})
        there = join(other, "m", "other group", attributes={"in": "other group"})
        assert (here.incarnation, there.incarnation) == (1, 1)
        assert seen(driver)["m"].member == here
        assert seen(driver, "other group")["m"].member == there
        assert seen(driver, member_ids=["m"])["m"].member == here
        assert seen(driver, "other group", known={"m": there})["m"].member == there
        assert driver.heartbeat(here.instance_id, [here]) == []
        driver.leave([here])
        assert listed(driver) == set()
        assert listed(driver, "other group") == {"m"}
        assert other.heartbeat(there.instance_id, [there]) == []

    def test_groups_with_members_are_named_in_order(self, store: Store) -> None:
        driver, other = store.driver(), store.driver()
        held = [join(driver, "m", group) for group in ("b", "a", "Z", "é", "a b")]
        join(other, "m2", "a")
        assert driver.groups() == sorted(["b", "a", "Z", "é", "a b"])
        driver.leave(held)
        assert other.groups() == ["a"], "groups without members are none"

    def test_what_is_known_and_the_same_is_given_back(self, store: Store) -> None:
        driver = store.driver()
        held = {one: join(driver, one) for one in ("a", "b")}
        for member_ids in (None, ["a", "b"], ["a"]):
            found = seen(driver, member_ids=member_ids, known=held)
            assert set(found) == set(member_ids or held)
            for key, one in found.items():
                assert one.member == held[key]
                assert one.age is None or one.age <= store.tolerance

    def test_what_changed_comes_whole(self, store: Store) -> None:
        driver, newer, reader = store.driver(), store.driver(), store.driver()
        known = {one: join(driver, one) for one in ("same", "changed", "taken", "again")}
        assert driver.update([known["changed"]._replace(attributes={"n": 1}, revision=1)]) == []
        now = {
            "same": known["same"],
            "changed": known["changed"]._replace(attributes={"n": 1}, revision=1),
            "taken": join(newer, "taken", attributes={"by": "newer"}),
            "again": join(driver, "again", attributes={"again": True}),
            "new": join(newer, "new", attributes={"n": 2}),
        }
        found = seen(reader, known=known)
        assert {key: one.member for key, one in found.items()} == now
        some = seen(reader, member_ids=["changed", "new", "nobody"], known=known)
        assert {key: one.member for key, one in some.items()} == {
            key: now[key] for key in ("changed", "new")
        }

    def test_a_withdrawal_is_a_change(self, store: Store) -> None:
        driver = store.driver()
        held = join(driver)
        assert driver.update([held._replace(withdrawn="ill", revision=1)]) == []
        found = seen(driver, known={"m": held})["m"]
        assert found.member.withdrawn == "ill"
        assert found.ended is not None

    def test_what_left_is_told_to_those_that_held_it(self, store: Store) -> None:
        driver, operator = store.driver(), store.driver()
        held = {one: join(driver, one) for one in ("own will", "removed", "kept")}
        driver.leave([held["own will"]])
        operator.leave([held["removed"]])
        assert listed(operator) == {"kept"}
        for member_ids in (None, list(held)):
            found = seen(operator, member_ids=member_ids, known=held)
            assert has_left(found.get("own will"))
            assert "removed" in found, "there is evidence of what an operator removed"
            assert has_left(found["removed"])
            assert not has_left(found["kept"])

    def test_without_attributes_the_life_is_all_there(self, store: Store) -> None:
        driver, other = store.driver(), store.driver()
        join(driver, "a"), join(other, "b"), join(driver, "b")
        assert driver.update([join(driver, "c")._replace(revision=4)]) == []
        whole, narrow = seen(other), seen(other, attributes=False)
        assert {key: life(one) for key, one in narrow.items()} == {
            key: life(one) for key, one in whole.items()
        }
        some = seen(other, member_ids=["c"], attributes=False)
        assert life(some["c"]) == life(whole["c"])

    def test_a_thousand_known_members_are_compared(self, store: Store) -> None:
        driver, reader = store.driver(), store.driver()
        wanted = [Member(GROUP, f"m{one}", instance_id="x") for one in range(1000)]
        mine = driver.context.instance_id
        known = {
            one.member_id: one
            for one in driver.join([each._replace(instance_id=mine) for each in wanted])
        }
        changed = known["m500"]._replace(attributes={"changed": True}, revision=1)
        assert driver.update([changed]) == []
        found = seen(reader, known=known)
        assert {key: one.member for key, one in found.items()} == known | {"m500": changed}
