"""Any text as group and member id, any JSON as attributes: the same comes back."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest

from servicegroup.model import MAX_ATTRIBUTES, MAX_TEXT, encode_attributes
from servicegroup.testing.scene import has_left, join, listed, member, seen
from servicegroup.testing.store import Store

#: Ids that some store somewhere takes for another one, for a path, a pattern, or for code.
IDS = (
    "node",
    "Node",
    "NODE",
    "node ",
    " node",
    "node\t",
    "ß",
    "ss",
    unicodedata.normalize("NFC", "é"),
    unicodedata.normalize("NFD", "é"),
    "e",
    "\N{LATIN SMALL LETTER DOTLESS I}",
    "i",
    "I",
    "Å",
    "\N{ANGSTROM SIGN}",
    "😀",
    "😁",
    "a/b",
    "a",
    "/",
    "//",
    "/a",
    "a/",
    ".",
    "..",
    "../a",
    "a.b",
    "a_b",
    "a%b",
    "%",
    "%2F",
    "%61",
    "_",
    "*",
    "?",
    "[a]",
    "a:b",
    "a,b",
    "a|b",
    "a\\b",
    "a\nb",
    "a\rb",
    "a\r\nb",
    "\n",
    " ",
    "'",
    '"',
    "'; DROP TABLE services; --",
    "${HOME}",
    "{}",
    "None",
    "null",
    "0",
    "00",
    "-1",
    "1e3",
    "\x01",
    "\x7f",
    "\u200b",
    "\u202e",
    "\ufeff",
    "\uffff",
    "\N{LATIN SMALL LIGATURE FI}",
    "fi",
    "x" * MAX_TEXT,
    "x" * (MAX_TEXT - 1),
    "x" * (MAX_TEXT - 1) + "y",
    "😀" * MAX_TEXT,
    "😀" * (MAX_TEXT - 1) + "😁",
)

#: Values that a careless encoding damages.
ATTRIBUTES: dict[str, dict[str, Any]] = {
    "none": {},
    "NUL in values and names": {"a\0b": "\0", "plain": "x\0y"},
    "control characters": {"\n\r\t\x01\x7f": "\u2028\u2029"},
    "beyond ASCII": {"é": "日本", "😀": ["\U0010ffff"]},
    "lone surrogates": {"\ud800": "\udfff"},
    "quotes": {"'": '"', "\\": "\\'", "%s": "%(x)s {} ${x}"},
    "numbers": {"big": 2**70, "small": -(2**70), "float": 0.1, "tiny": 5e-324, "e": 1e300},
    "number kinds": {"int": 1, "float": 1.0, "true": True, "false": False, "null": None},
    "names that mean something": {"id": "x", "instance_id": "y", "attributes": {}, "": ""},
    "deep": {"a": [{"b": [[[{"c": [None, [], {}]}]]]}]},
    "order": {"b": 1, "a": 2, "c": 3},
}


class Texts:
    """Ids are compared byte for byte, never folded or trimmed; attributes are kept as they are."""

    def test_any_text_is_a_member_id(self, store: Store) -> None:
        driver = store.driver()
        joined = driver.join([member(driver, one, attributes={"id": one}) for one in IDS])
        assert [one.incarnation for one in joined] == [1] * len(IDS), "all of them are different"
        reader = store.driver()
        assert {key: one.member.attributes for key, one in seen(reader).items()} == {
            one: {"id": one} for one in IDS
        }
        assert driver.heartbeat(driver.context.instance_id, joined) == []
        assert set(seen(reader, member_ids=IDS)) == set(IDS)
        known = {one.member_id: one for one in joined}
        assert {key: one.member for key, one in seen(reader, known=known).items()} == known

    def test_what_happens_to_one_id_happens_to_no_other(self, store: Store) -> None:
        driver, operator = store.driver(), store.driver()
        joined = driver.join([member(driver, one) for one in IDS])
        removed, changed = joined[::3], joined[1::3]
        operator.leave(removed)
        lost = driver.update([one._replace(attributes={"new": 1}, revision=1) for one in changed])
        assert lost == []
        now = seen(store.driver())
        assert set(now) == set(IDS) - {one.member_id for one in removed}
        assert {key for key, one in now.items() if one.member.attributes == {"new": 1}} == {
            one.member_id for one in changed
        }
        lost = driver.heartbeat(driver.context.instance_id, joined)
        assert {one.member.member_id for one in lost} == {one.member_id for one in removed}

    def test_one_id_is_found_alone(self, store: Store) -> None:
        driver = store.driver()
        for number, member_id in enumerate(IDS):
            group = f"group {number}"
            joined = join(driver, member_id, group)
            assert seen(driver, group, [member_id])[member_id].member == joined
            others = {member_id.swapcase(), f"{member_id} ", member_id.strip(), member_id[:-1]}
            for other in others - {member_id, ""}:
                assert seen(driver, group, [other[:MAX_TEXT]]).keys() <= {member_id}
            driver.leave([joined])
            assert listed(driver, group) == set()
            assert has_left(seen(driver, group, [member_id]).get(member_id))

    def test_any_text_is_a_group_id(self, store: Store) -> None:
        driver = store.driver()
        joined = driver.join([member(driver, "m", one, attributes={"in": one}) for one in IDS])
        assert [one.incarnation for one in joined] == [1] * len(IDS), "all of them are different"
        assert driver.groups() == sorted(IDS)
        for one in IDS:
            for asked in (None, ["m"], ["m", "nobody"]):
                member_of_it = seen(driver, one, asked)["m"].member
                assert (member_of_it.group_id, member_of_it.attributes) == (one, {"in": one})

    def test_group_and_member_id_are_not_run_together(self, store: Store) -> None:
        driver = store.driver()
        pairs = [("a", "b/c"), ("a/b", "c"), ("a:b", "c"), ("a", "b:c"), ("ab", "c"), ("a", "bc")]
        driver.join([member(driver, one, group) for group, one in pairs])
        assert {(group, one) for group in driver.groups() for one in listed(driver, group)} == set(
            pairs
        )

    @pytest.mark.parametrize("kind", ATTRIBUTES)
    def test_attributes_come_back_as_they_were(self, store: Store, kind: str) -> None:
        driver = store.driver()
        for how in ("join", "update"):
            if how == "join":
                join(driver, attributes=ATTRIBUTES[kind])
            else:
                changed = join(driver)._replace(attributes=ATTRIBUTES[kind], revision=1)
                assert driver.update([changed]) == []
            back = seen(store.driver())["m"].member.attributes
            assert back == ATTRIBUTES[kind]
            assert encode_attributes(back) == encode_attributes(ATTRIBUTES[kind]), "order and kinds"

    def test_attributes_of_64_kib(self, store: Store) -> None:
        driver = store.driver()
        attributes = {"blob": "x" * (MAX_ATTRIBUTES - len('{"blob":""}'))}
        assert len(encode_attributes(attributes)) == MAX_ATTRIBUTES
        joined = join(driver, attributes=attributes)
        assert seen(driver)["m"].member == joined
        assert driver.update([joined._replace(attributes={}, revision=1)]) == []
        assert seen(driver)["m"].member.attributes == {}

    def test_names_and_reasons_are_any_text_too(self, store: Store) -> None:
        driver = store.driver()
        odd = "é😀 '\";--\n" * 25
        joined = join(driver, name=odd[:MAX_TEXT], hostname=odd[:MAX_TEXT], process_id=2**22)
        withdrawn = joined._replace(withdrawn=odd, revision=1)
        assert driver.update([withdrawn]) == []
        sighting = seen(driver)["m"]
        assert sighting.member == withdrawn
        assert sighting.ended is not None
        assert sighting.ended.reason == odd
