"""A fleet to look at: each member of a process of its own, all of whose nodes one session holds."""

from __future__ import annotations

import uuid

from benchmarks.peer import packed
from benchmarks.places import ATTRIBUTES, GROUP, Place, member, member_id
from benchmarks.zookeeper.tree import Tree
from servicegroup.drivers.zookeeper.layout import Paths

#: As the driver and tooz have them by default.
ROOT = "/servicegroup"
TOOZ_GROUP = f"/tooz/{GROUP}"


class ZooKeeperFleet:
    """The same members as ours and as tooz has them."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._paths = Paths(ROOT)
        self._lives: list[str] = []
        self._tree = Tree(place.address, 60.0)

    def set_size(self, size: int) -> None:
        """Leave nothing in the tree but *size* members, each of a process of its own."""
        paths = self._paths
        groups = [self._tree.children(folder) for folder in (paths.groups, paths.removed)]
        for folder in (*groups[0], *groups[1], paths.instances, paths.ended, TOOZ_GROUP):
            self._tree.clear(folder)
        self._lives = [str(uuid.uuid4()) for _ in range(size)]
        door, _ = self._place.process()
        door.join([member(number, life) for number, life in enumerate(self._lives)])
        self._tree.create(
            ((self._paths.instance(life), b"") for life in self._lives), ephemeral=True
        )
        door.stop()
        self._tree.client.ensure_path(TOOZ_GROUP)
        data = packed(ATTRIBUTES)
        names = map(member_id, range(size))
        self._tree.create(((f"{TOOZ_GROUP}/{name}", data) for name in names), ephemeral=True)

    def remove(self, group_id: str) -> None:
        """Remove the members of a group without a trace."""
        self._tree.clear(self._paths.group(group_id))
        self._tree.clear(self._paths.graves(group_id))

    def instance_of(self, member_id: str) -> str:
        """Return the life that holds a member."""
        return self._lives[int(member_id.rpartition("-")[2])]

    def close(self) -> None:
        self._tree.close()
