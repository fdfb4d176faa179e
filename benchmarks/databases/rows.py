"""The rows that make a member and the life that holds it, as a join writes them."""

from __future__ import annotations

import json
import uuid
from typing import Any

from benchmarks.places import ATTRIBUTES


def instance(name: str, now: int, boot: str) -> dict[str, Any]:
    """Return a row of ``instances``, of a process on a host of that name."""
    return {
        "instance_id": str(uuid.uuid4()),
        "generation": 1,
        "beat_at": now,
        "steady_since": now,
        "boot_id": boot,
        "report_count": 1,
        "report_interval": 10.0,
        "hostname": name,
        "process_id": 1000,
    }


def service(
    name: str, instance_id: str, now: int = 0, wall: int = 0, group_id: str = ""
) -> dict[str, Any]:
    """Return a row of ``services`` as a join writes it."""
    return {
        "uuid": str(uuid.uuid4()),
        "group_id": group_id,
        "member_id": name,
        "name": "nova-compute",
        "hostname": name,
        "process_id": 1000,
        "attributes": json.dumps(ATTRIBUTES, separators=(",", ":")),
        "revision": 0,
        "version": 1,
        "instance_id": instance_id,
        "incarnation": 1,
        "started_at": wall,
        "up_since": now,
        "disabled": False,
        "forced_down": False,
        "created_at": wall,
    }
