"""Reasons that nobody chose, such as the text of an error, can be kept by every store."""

import pytest

from servicegroup.health import HealthCheck
from servicegroup.model import MAX_TEXT, check_text, storable_text


@pytest.mark.parametrize("words", ["NUL \0", "half an emoji \ud83d", "x" * 5000, "é" * 300])
def test_any_words_become_text_that_can_be_kept(words):
    assert check_text("reason", storable_text(words))


def test_what_can_be_kept_is_kept_as_it_is():
    for words in ("", "disk is full", "😀\n" * 127, "x" * MAX_TEXT):
        assert storable_text(words) == words
    assert storable_text("x" * (MAX_TEXT + 1)) == "x" * (MAX_TEXT - 3) + "..."


def test_an_error_of_a_health_check_is_such_a_reason():
    def health():
        raise ValueError("no answer: b'\0\x01' " + "\udcff" + "x" * 1000)

    check = HealthCheck("m", health, 10.0, lambda: None)
    assert check.step(0.0) is None
    while (reason := check.step(1.0)) is None:
        pass
    check.close()
    assert check_text("reason", reason).startswith("its health check failed: ValueError: no answer")
