"""Measures the synchronizer: ``python -m benchmarks.synchronizer [--entities N] [--output FILE]``.

From the body of an answer to its differences, beside what everybody does (json.loads, sorted dumps,
sha1); memory of the baseline; what the pipe and the ledger carry; a million entities in a child.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import pathlib
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from benchmarks.machine import description
from servicegroup.synchronizer import Entity, Rows, wire
from servicegroup.synchronizer.baseline import Baseline
from servicegroup.synchronizer.collecting import PAGE
from servicegroup.synchronizer.ledger import Ledger

TYPE = "measured"
LIBRARIES = ("msgspec", "xxhash")
CHANGED = 0.01
MILLION = 1_000_000


class Service(msgspec.Struct):
    """The six fields of a flat item that matter; its other eight are what always changes."""

    id: str
    host: str
    description: str
    status: int
    output: str
    acknowledged: bool


class Server(msgspec.Struct):
    """The fields of a nested item that matter."""

    id: str
    name: str
    status: str
    tenant_id: str
    host: str = msgspec.field(name="OS-EXT-SRV-ATTR:host")
    flavor: dict[str, Any] = {}
    metadata: dict[str, str] = {}


def flat(number: int, version: int) -> dict[str, Any]:
    """A Nagios service of 380 bytes or so."""
    return {
        "id": f"{number:08d}-0000-4000-8000-000000000000",
        "host": f"host-{number % 1000}",
        "description": "HTTP on the public address",
        "status": 2 + version,
        "output": "HTTP OK: HTTP/1.1 200 OK - 1024 bytes in 0.003 second response time",
        "acknowledged": False,
        "last_check": 1700000000 + number,
        "next_check": 1700000060 + number,
        "execution_time": 0.00312,
        "latency": 0.12,
        "check_command": "check_http",
        "max_attempts": 4,
        "current_attempt": 1,
        "flapping": False,
    }


def nested(number: int, version: int) -> dict[str, Any]:
    """A Nova server of 1.7 kB or so."""
    uuid = f"{number:08d}-0000-4000-8000-000000000000"
    link = f"http://nova.example/v2.1/servers/{uuid}"
    return {
        "id": uuid,
        "name": f"instance-{number}",
        "status": "ACTIVE" if not version else "SHUTOFF",
        "tenant_id": "9d1f1d8c4a5e4f0f8c1c5f5c7f1f2a3b",
        "user_id": "8d1f1d8c4a5e4f0f8c1c5f5c7f1f2a3b",
        "OS-EXT-SRV-ATTR:host": f"compute-{number % 500}",
        "OS-EXT-SRV-ATTR:instance_name": f"instance-{number:08x}",
        "OS-EXT-STS:power_state": 1,
        "OS-EXT-STS:task_state": None,
        "OS-EXT-STS:vm_state": "active",
        "created": "2026-01-01T00:00:00Z",
        "updated": "2026-01-02T00:00:00Z",
        "flavor": {
            "vcpus": 4,
            "ram": 8192,
            "disk": 80,
            "ephemeral": 0,
            "swap": 0,
            "original_name": "m1.large",
            "extra_specs": {"hw:cpu_policy": "dedicated"},
        },
        "image": {"id": uuid, "links": [{"rel": "bookmark", "href": link}]},
        "links": [{"rel": "self", "href": link}, {"rel": "bookmark", "href": link}],
        "addresses": {
            f"net-{n}": [
                {
                    "version": 4,
                    "addr": f"10.0.{n}.7",
                    "OS-EXT-IPS:type": "fixed",
                    "OS-EXT-IPS-MAC:mac_addr": f"fa:16:3e:00:00:0{n}",
                }
            ]
            for n in range(4)
        },
        "metadata": {"owner": "somebody", "purpose": "a rather long description " * 4},
        "security_groups": [{"name": "default"}, {"name": "web"}],
        "os-extended-volumes:volumes_attached": [{"id": uuid}],
        "accessIPv4": "",
        "accessIPv6": "",
        "config_drive": "",
        "key_name": "key",
        "progress": 0,
        "hostId": uuid * 2,
        "locked": False,
        "tags": ["a", "b"],
    }


def naive(body: bytes, known: dict[str, str]) -> int:
    """Return how many changed, as everybody finds it."""
    changed, seen = 0, set()
    for item in json.loads(body):
        mark = hashlib.sha1(json.dumps(item, sort_keys=True).encode()).hexdigest()
        seen.add(item["id"])
        if known.get(item["id"]) != mark:
            known[item["id"]] = mark
            changed += 1
    for key in known.keys() - seen:
        del known[key]
        changed += 1
    return changed


def ours(body: bytes, kind: type, baseline: Baseline) -> int:
    """Return how many changed, as a collector's process finds it."""
    reading = baseline.poll()
    rows = Rows(
        TYPE,
        msgspec.json.Decoder(list[kind]).decode(body),
        key=lambda row: row.id,
        entity=lambda row: Entity(key=row.id, type=TYPE, data=msgspec.structs.asdict(row)),
    )
    changed = list(reading.rows(rows))
    gone = list(reading.gone())
    baseline.note(changed)
    for type_, keys in gone:
        baseline.forget(type_, keys)
    return len(changed) + sum(len(keys) for _, keys in gone)


def timed(work: Callable[[], Any], times: int) -> float:
    """Return the CPU seconds of the fastest of several runs, as the child runs them: without GC."""
    best = float("inf")
    for _ in range(times):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return best


def differences(entities: int) -> Iterator[tuple[str, str, str]]:
    """From body to differences, both shapes."""
    for name, make, kind, factor in (("flat", flat, Service, 5), ("nested", nested, Server, 10)):
        step = round(1 / CHANGED)
        bodies = [
            msgspec.json.encode([make(n, version if n % step == 0 else 0) for n in range(entities)])
            for version in (0, 1)
        ]
        known: dict[str, str] = {}
        baseline = Baseline([TYPE])
        naive(bodies[0], known)
        ours(bodies[0], kind, baseline)
        turn = iter(range(1, 1000))
        theirs = timed(
            lambda bodies=bodies, known=known, turn=turn: naive(bodies[next(turn) % 2], known), 2
        )
        gc.disable()
        turn = iter(range(1, 1000))
        mine = timed(
            lambda bodies=bodies, kind=kind, baseline=baseline, turn=turn: ours(
                bodies[next(turn) % 2], kind, baseline
            ),
            6,
        )
        gc.enable()
        size = len(bodies[0]) // entities
        yield (
            f"body to differences, {entities:,} {name} entities of {size} B, 1 % changed",
            f"{entities / mine:,.0f}/s; {theirs / mine:.1f} times the naive "
            f"{entities / theirs:,.0f}/s",
            f"{factor} times" + (", 800,000/s" if name == "flat" else ""),
        )


def resident() -> int:
    """Return what is resident now, in bytes."""
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def memory(entities: int) -> None:
    """Print how many bytes the baseline takes for an unchanged entity; in a process of its own."""
    keys = Baseline([TYPE])
    gc.collect()
    before = resident()
    reading = keys.poll()
    for start in range(0, entities, PAGE):
        rows = Rows(
            TYPE,
            [
                Service(f"{n:08d}-0000-4000-8000-000000000000", "h", "d", 2, "o", False)
                for n in range(start, min(entities, start + PAGE))
            ],
            key=lambda row: row.id,
            entity=lambda row: Entity(key=row.id, type=TYPE),
        )
        keys.note(reading.rows(rows))
    gc.collect()
    print((resident() - before) / entities)


def carried(entities: int) -> Iterator[tuple[str, str, str]]:
    """What the pipe and the ledger carry of changed entities."""
    reading = Baseline([TYPE]).poll()
    rows = Rows(
        TYPE,
        [
            Service(f"{n:08d}-0000-4000-8000-000000000000", "h", "d", 2, "o", False)
            for n in range(entities)
        ],
        key=lambda row: row.id,
        entity=lambda row: Entity(key=row.id, type=TYPE, data={"status": row.status}),
    )
    listed = list(reading.rows(rows))

    def handed() -> None:
        frames = wire.Frames()
        for start in range(0, entities, PAGE):
            for body in frames.feed(wire.frame(wire.Rows(listed[start : start + PAGE]))):
                wire.from_child(body)

    seconds = timed(handed, 3)
    yield (
        f"child to parent, frames of {PAGE}, both ends in one core",
        f"{entities / seconds:,.0f} changed entities/s",
        "300,000/s",
    )
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(pathlib.Path(folder) / "baseline.sqlite")
        began = time.perf_counter()
        ledger.polled("benchmark", listed, ledger.seq)
        seconds = time.perf_counter() - began
        ledger.close()
    yield ("into the ledger, on disk", f"{entities / seconds:,.0f} changed entities/s", "")


def large(entities: int) -> None:
    """Print the peak of a child that reads many entities in pages, twice. In its own process."""
    gc.disable()
    baseline = Baseline([TYPE])
    decoder = msgspec.json.Decoder(list[Service])
    for version in (0, 0, 1):
        reading = baseline.poll()
        with tempfile.TemporaryFile() as changes:
            for start in range(0, entities, 1000):
                step = round(1 / CHANGED)
                body = msgspec.json.encode(
                    [
                        flat(n, version if n % step == 0 else 0)
                        for n in range(start, min(entities, start + 1000))
                    ]
                )
                page = Rows(
                    TYPE,
                    decoder.decode(body),
                    key=lambda row: row.id,
                    entity=lambda row: Entity(
                        key=row.id, type=TYPE, data=msgspec.structs.asdict(row)
                    ),
                )
                rows = list(reading.rows(page))
                if rows:
                    changes.write(wire.frame(wire.Rows(rows)))
            changes.seek(0)
            frames = wire.Frames()
            while data := changes.read(1 << 20):
                for part in frames.feed(data):
                    baseline.note(wire.from_child(part).rows)
        gc.collect()
    # Not ru_maxrss, which an exec inherits from whoever started us.
    status = pathlib.Path("/proc/self/status").read_text().splitlines()
    (peak,) = (line.split()[1] for line in status if line.startswith("VmHWM"))
    print(int(peak) * 1024)


def elsewhere(what: str, entities: int) -> float:
    """Return what this module prints in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.synchronizer", "--only", what]
    done = subprocess.run(
        [*command, "--entities", str(entities)], check=True, capture_output=True, text=True
    )
    return float(done.stdout)


def figures(entities: int, most: int) -> Iterator[tuple[str, str, str]]:
    """Yield what was measured, in words, with its target."""
    yield from differences(entities)
    size = elsewhere("memory", entities)
    yield ("memory of an unchanged entity, key of 36 characters", f"{size:.0f} B", "200 B")
    yield from carried(entities)
    peak = elsewhere("large", most)
    yield (f"peak of a child, {most:,} entities in pages", f"{peak / 1e6:.0f} MB", "600 MB")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.synchronizer", description=__doc__)
    parser.add_argument("--entities", type=int, default=100_000, help="default: 100000")
    parser.add_argument("--most", type=int, default=MILLION, help="of the largest poll")
    parser.add_argument("--output", type=pathlib.Path, help="also write the table to this file")
    parser.add_argument("--only", choices=["memory", "large"], help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.only:
        {"memory": memory, "large": large}[asked.only](asked.entities)
        return 0
    lines = [
        "# Figures of the synchronizer",
        "",
        f"Written by `python -m benchmarks.synchronizer`, made on {description(LIBRARIES)}",
        "",
        "| what | measured | target |",
        "|---|---|---|",
    ]
    for line in lines:
        print(line, flush=True)
    for row in figures(asked.entities, asked.most):
        lines.append(f"| {' | '.join(row)} |")
        print(lines[-1], flush=True)
    if asked.output is not None:
        asked.output.write_text("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
