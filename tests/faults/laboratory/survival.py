"""The property that nothing is lost: what is in the store at the end is what was put there."""

from collections.abc import Iterator, Sequence

from faults.laboratory.journal import Entry

#: Words of the operator: which flag they set, and to what.
_FLAGS = {
    "disable": (0, True),
    "enable": (0, False),
    "force_down": (1, True),
    "unforce_down": (1, False),
}


#: Calls of a process after a loss until all of its members are stored again.
CALLS = 2


def survival(entries: Sequence[Entry]) -> Iterator[tuple[float, str]]:
    """Tell which attributes, flags or deletions did not survive until the account at the end."""
    accounts = [entry for entry in entries if entry["what"] == "account"]
    if not accounts:
        return
    account = accounts[-1]
    flags, attributes, doubtful = _put(entries)
    doubtful |= _forgotten(entries)
    for member, expected in attributes.items():
        found = account["attributes"].get(member)
        if member not in doubtful and found != expected:
            yield account["at"], f"{member} published {expected}, the store has {found}"
    records = account["records"]
    if records is None:
        return
    for member, known in flags.items():
        found = records.get(member)
        seen = None if found is None else found[:2]
        if member not in doubtful and seen != known:
            yield account["at"], f"{member} was {_in_words(known)}, its record is {_in_words(seen)}"


def _put(
    entries: Sequence[Entry],
) -> tuple[dict[str, list[bool] | None], dict[str, object], set[str]]:
    """Gather {member: flags, or None where deleted}, {member: attributes} and the doubtful."""
    flags: dict[str, list[bool] | None] = {}
    attributes: dict[str, object] = {}
    doubtful: set[str] = set()
    held: dict[str, str] = {}
    # What the store lost and did not hear again so far: of one call its process learns that, the
    # next one tells.
    unsaid: dict[str, int] = {}
    for entry in entries:
        what, member = entry["what"], entry.get("member", "")
        if what == "join":
            doubtful.discard(member)
            attributes[member] = entry["attributes"]
            held[member] = entry["who"]
            unsaid.pop(member, None)
            if flags.get(member) is None:
                flags[member] = [False, False]
        elif what == "update":
            attributes[member] = entry["attributes"]
        elif what in ("leave", "remove", "delete"):
            attributes.pop(member, None)
            if member in unsaid:
                doubtful.add(member)
        elif what == "beat" and not entry["error"]:
            calls = {one: n - (held.get(one) == entry["who"]) for one, n in unsaid.items()}
            unsaid = {one: n for one, n in calls.items() if n}
        elif what == "doubtful":
            doubtful.add(member)
        elif what == "fault" and entry.get("forgets"):
            flags = {member: [False, False] if member in attributes else None for member in flags}
            unsaid = dict.fromkeys(attributes, CALLS)
        if what == "delete":
            flags[member] = None
        elif what == "word" and entry["known"]:
            flag, value = _FLAGS[entry["call"]]
            known = flags.get(member)
            if known is not None:
                known[flag] = value
    return flags, attributes, doubtful


def _forgotten(entries: Sequence[Entry]) -> set[str]:
    """Gather whom the store may have forgotten: who is dead, where it keeps only the living."""
    held: dict[str, str] = {}
    gone: set[str] = set()
    if any(entry["forgets"] for entry in entries if entry["what"] == "times"):
        for entry in entries:
            if entry["what"] == "join":
                held[entry["member"]] = entry["who"]
                gone.discard(entry["member"])
            elif entry["what"] == "killed":
                gone |= {one for one, who in held.items() if who == entry["actor"]}
    return gone


def _in_words(flags: list[bool] | None) -> str:
    if flags is None:
        return "deleted"
    words = ["disabled" if flags[0] else "enabled", "forced down" if flags[1] else "not forced"]
    return " and ".join(words)
