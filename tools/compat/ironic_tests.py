"""Ironic's own tests of the hash ring, of conductors, and of who routes by the ring."""

import collections

from counted import counted

OURS = "servicegroup.compat.ironic"
TESTS = [
    "ironic.tests.unit.common.test_hash_ring",
    "ironic.tests.unit.conductor.test_base_manager",
    "ironic.tests.unit.conductor.test_rpcapi",
    "ironic.tests.unit.db.test_conductor",
]
LEFT_OUT: dict[str, str] = {}


def swap() -> collections.Counter:
    """Put our ring manager where Ironic's was."""
    from ironic.common import hash_ring

    from servicegroup.compat import ironic as ours

    used = collections.Counter()
    hash_ring.HashRingManager = counted(used, ours.HashRingManager, "get_ring")
    counted(used, ours.HashRingManager, "_load_hash_rings")
    return used
