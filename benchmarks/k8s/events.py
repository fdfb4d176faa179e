"""What an event of a watch costs its client: ``python -m benchmarks.k8s.events [COUNT]``.

Beats of other processes come through the watch; this process does nothing else meanwhile. Beside it
stands what the same costs who reads lines by ``http.client`` and decodes them by json: on a machine
that is busy with something else, the two are to be compared.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable

from benchmarks.k8s.bare import PLACE, BareKubernetes
from benchmarks.k8s.place import Kubernetes
from benchmarks.places import GROUP
from servicegroup.drivers.k8s import layout, leases

#: Instances whose signs of life are renewed in turns.
INSTANCES = 100


def main() -> None:
    """Print microseconds of CPU for each renewal that came through a watch."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    with Kubernetes.serve() as place:
        fleet = place.fleet()
        fleet.set_size(INSTANCES)
        used, calls = _ours(place, count)
        bare = _bare(place, count)
        fleet.close()
    print(
        f"{used * 1e6:.1f} us of CPU an event, {count:,} events, {calls} calls; "
        f"by http.client and json {bare * 1e6:.1f} us"
    )


def _ours(place: Kubernetes, count: int) -> tuple[float, int]:
    door, _ = place.process()
    ended, calls = threading.Event(), []

    def changed(member_ids: object) -> None:
        calls.append(member_ids)
        ended.set()

    stop = door.watch(GROUP, changed)
    time.sleep(1.0)
    ended.clear()
    used = _used(place, count, "ours", ended.wait)
    stop()
    door.stop()
    return used, len(calls)


def _bare(place: Kubernetes, count: int) -> float:
    bare = BareKubernetes(place.address)
    version = bare.ask("GET", f"{PLACE}?limit=1")["metadata"]["resourceVersion"]
    query = {"watch": "true", "labelSelector": leases.KIND, "resourceVersion": version}
    lines = bare.lines(f"{PLACE}?{urllib.parse.urlencode(query)}")

    def read() -> None:
        for line in lines:
            notes = json.loads(line)["object"]["metadata"].get("annotations") or {}
            if notes.get("note") == "bare":
                return

    used = _used(place, count, "bare", read)
    bare.close()
    return used


def _used(place: Kubernetes, count: int, word: str, wait: Callable[[], object]) -> float:
    """Let others renew; returns seconds of processor time that it took here for each."""
    began = time.process_time()
    command = [sys.executable, "-m", __spec__.name, "beat", place.address, str(count), word]
    renewing = subprocess.Popen(command)
    wait()
    used = time.process_time() - began
    renewing.wait()
    return used / count


def beat(kubeconfig: str, count: int, word: str) -> None:
    """Renew all signs of life in turns, and in the end write a word into a member."""
    bare = BareKubernetes(kubeconfig)
    beats = bare.listed(layout.selected(layout.BEAT))
    for number in range(count):
        one = beats[number % len(beats)]
        one["spec"]["renewTime"] = f"2026-01-01T{number // 3600 % 24:02}:00:00.{number % 10**6:06}Z"
        path = f"{PLACE}/{one['metadata']['name']}"
        beats[number % len(beats)] = bare.ask("PUT", path, one)
    (member, *_) = bare.listed(layout.selected(layout.HERE))
    member["metadata"]["annotations"]["note"] = word
    bare.ask("PUT", f"{PLACE}/{member['metadata']['name']}", member)
    bare.close()


if __name__ == "__main__":
    if sys.argv[1:2] == ["beat"]:
        beat(sys.argv[2], int(sys.argv[3]), sys.argv[4])
    else:
        main()
