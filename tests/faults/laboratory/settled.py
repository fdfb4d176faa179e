"""Whether every observer's picture equals the truth, after the last fault ended."""

from collections.abc import Sequence

from faults.laboratory.journal import Entry

#: Ways that tell of all members at once.
WHOLE = ("get_members", "states", "watch.members", "watch.is_up")


def fits(state: str, right: Sequence[str]) -> bool:
    """Whether an answer is one of the right ones; a boolean does not say why not."""
    return bool({"down", "gone"} & set(right)) if state == "not up" else state in right


def latest(entries: Sequence[Entry], since: float) -> dict[tuple[str, str], Entry]:
    """Return the last answer of each observer in each way that was asked after *since*."""
    found = {}
    for entry in entries:
        if entry["what"] == "answer" and entry["way"] in WHOLE and entry["begin"] >= since:
            found[entry["who"], entry["way"]] = entry
    return found


def differences(entries: Sequence[Entry]) -> list[str] | None:
    """Say in which last answers differ from the truth; ``None`` before the last fault ended."""
    calm = [entry for entry in entries if entry["what"] == "calm"]
    if not calm:
        return None
    expected: dict[str, list[str]] = calm[0]["expected"]
    answers = latest(entries, calm[0]["at"])
    observers = {entry["who"] for entry in entries if entry["what"] == "answer"}
    missing = [
        f"{who} gives no answer by {way}"
        for who in sorted(observers)
        for way in WHOLE
        if (who, way) not in answers
    ]
    return missing + [
        f"{who} says {entry['states'][member]} of {member} by {way}, right is {' or '.join(right)}"
        f" ({entry['reasons'].get(member, 'no reason')})"
        for (who, way), entry in answers.items()
        for member, right in expected.items()
        if not fits(entry["states"][member], right)
    ]


def settled(entries: Sequence[Entry]) -> bool:
    """Whether all observers agree with the truth by every way."""
    return differences(entries) == []
