"""JSON of many at once: what is damaged stands alone, wherever it is."""

import json

import pytest

from servicegroup.decoding import decoded


@pytest.mark.parametrize("at", [0, 3, 6])
@pytest.mark.parametrize("damaged", ["", "[1", "1,2", "]", '"', "[" * 100_000])
def test_one_that_is_damaged_spoils_no_other(at, damaged):
    texts = [json.dumps([number, {"a": number}]) for number in range(7)]
    texts[at] = damaged
    expected = [None if number == at else [number, {"a": number}] for number in range(7)]
    assert decoded(texts) == expected


def test_there_may_be_nothing_to_decode():
    assert decoded([]) == []
