"""What the server keeps: every object by its kind and name, and the log of all changes.

One version counts the changes of everything, as etcd's revision does. Objects are never changed in
place, so that whoever holds a list of them holds it as it was. One thread only.
"""

import bisect
import json
import operator
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from kubeapi.kinds import BY_PATH, Kind
from kubeapi.status import gone

Key = tuple[str, str]
#: Changes that are kept for watches and pages that began before them.
HISTORY = 50_000
SNAPSHOTS = 64


class Item(NamedTuple):
    """An object at one version, and as it is sent."""

    key: Key
    obj: dict[str, Any]
    data: bytes


class Change(NamedTuple):
    """One entry of the log; ``before`` and ``after`` are ``None`` where there was or is nothing."""

    version: int
    kind: Kind
    before: Item | None
    after: Item | None


class Store:
    """All objects; kept in *journal*, so that a server that is started again goes on."""

    def __init__(self, journal: Path | None = None) -> None:
        self.version = 1
        #: Changes up to this version are no longer in the log.
        self.compacted = 0
        self.log: list[Change] = []
        self.listeners: list[Callable[[Change], None]] = []
        self._items: dict[Kind, dict[Key, Item]] = {}
        self._sorted: dict[Kind, list[Item] | None] = {}
        self._snapshots: OrderedDict[tuple[Kind, int], list[Item]] = OrderedDict()
        if journal is not None and journal.exists():
            for line in journal.read_bytes().splitlines():
                self._replay(json.loads(line))
            self.compact()
        self._journal = None if journal is None else journal.open("ab", buffering=0)

    def get(self, kind: Kind, key: Key) -> Item | None:
        """Return an object as it is now."""
        return self._items.get(kind, {}).get(key)

    def all(self, kind: Kind) -> list[Item]:
        """Return all objects of a kind in the order of their names. Not to be changed."""
        found = self._sorted.get(kind)
        if found is None:
            items = self._items.get(kind, {})
            found = self._sorted[kind] = sorted(items.values(), key=operator.itemgetter(0))
        return found

    def at(self, kind: Kind, version: int) -> list[Item]:
        """Return all objects of a kind as they were at a version.

        :raises StatusError: 410, the log does not go back that far
        """
        place = (kind, version)
        found = self._snapshots.get(place)
        if version < self.compacted:
            raise gone("The provided continue parameter is too old")
        if found is None:
            found = self.all(kind) if version == self.version else self._rebuilt(kind, version)
            self._snapshots[place] = found
            if len(self._snapshots) > SNAPSHOTS:
                self._snapshots.popitem(last=False)
        return found

    def put(self, kind: Kind, key: Key, obj: dict[str, Any]) -> Item:
        """Keep an object under the next version, which is noted in it."""
        before = self.get(kind, key)
        self.version += 1
        kept = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self.version)}}
        item = Item(key, kept, _data(kept))
        self._note(Change(self.version, kind, before, item))
        return item

    def delete(self, kind: Kind, key: Key) -> dict[str, Any]:
        """Remove an object; returns its last state, at the version of its removal."""
        before = self._items[kind][key]
        self.version += 1
        last = {**before.obj["metadata"], "resourceVersion": str(self.version)}
        obj = {**before.obj, "metadata": last}
        before = before._replace(data=_data(obj))
        self._note(Change(self.version, kind, before, None))
        return obj

    def since(self, version: int) -> list[Change]:
        """Return the changes after a version.

        :raises StatusError: 410, some of them are no longer in the log
        """
        if version < self.compacted:
            raise gone(f"too old resource version: {version} ({self.compacted})")
        return self.log[bisect.bisect_right(self.log, version, key=operator.itemgetter(0)) :]

    def compact(self) -> None:
        """Forget the log and all pages that were begun."""
        self.compacted = self.version
        self.log.clear()
        self._snapshots.clear()

    def lose(self, namespace: str) -> None:
        """Lose every object in a namespace, as one deletion each."""
        for kind, items in list(self._items.items()):
            for key in [one for one in items if one[0] == namespace]:
                self.delete(kind, key)

    def _rebuilt(self, kind: Kind, version: int) -> list[Item]:
        items = dict(self._items.get(kind, {}))
        for change in reversed(self.since(version)):
            if change.kind is not kind:
                continue
            if change.before is not None:
                items[change.before.key] = change.before
            elif change.after is not None:
                items.pop(change.after.key, None)
        return sorted(items.values(), key=operator.itemgetter(0))

    def _note(self, change: Change) -> None:
        self._apply(change)
        self.log.append(change)
        if len(self.log) > HISTORY:
            self.compacted = self.log[HISTORY // 10].version
            del self.log[: HISTORY // 10 + 1]
        if self._journal is not None:
            kind, after = change.kind, change.after
            key = after.key if after is not None else change.before.key if change.before else ()
            head = json.dumps([change.version, kind.group, kind.version, kind.plural, *key])
            data = b"null" if after is None else after.data
            self._journal.write(b"[%b,%b]\n" % (head.encode(), data))
        for listener in self.listeners:
            listener(change)

    def _apply(self, change: Change) -> None:
        items = self._items.setdefault(change.kind, {})
        after = change.after
        if after is None:
            assert change.before is not None
            del items[change.before.key]
            self._sorted[change.kind] = None
            return
        items[after.key] = after
        # A list that somebody may hold stays as it was.
        self._sorted[change.kind] = None

    def _replay(self, line: Any) -> None:
        (version, group, api, plural, *names), obj = line
        kind, key = BY_PATH[group, api, plural], (names[0], names[1])
        before = self.get(kind, key)
        after = None if obj is None else Item(key, obj, _data(obj))
        if before is not None or after is not None:
            self._apply(Change(version, kind, before, after))
        self.version = version


def _data(obj: dict[str, Any]) -> bytes:
    return json.dumps(obj, separators=(",", ":"), ensure_ascii=False).encode(errors="surrogatepass")
