"""What an event of a watch costs its client: ``python -m benchmarks.k8s.events [COUNT]``.

Beats of other processes come through the watch; this process does nothing else meanwhile.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time

from benchmarks.k8s.bare import PLACE, BareKubernetes
from benchmarks.k8s.place import Kubernetes
from benchmarks.places import GROUP
from servicegroup.drivers.k8s import layout

#: Instances whose signs of life are renewed in turns.
INSTANCES = 100
ENDS = "the last one"


def main() -> None:
    """Print microseconds of CPU for each renewal that came through a watch."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    with Kubernetes.serve() as place:
        fleet = place.fleet()
        fleet.set_size(INSTANCES)
        door, _ = place.process()
        ended, calls = threading.Event(), []

        def changed(member_ids: object) -> None:
            calls.append(member_ids)
            ended.set()

        stop = door.watch(GROUP, changed)
        time.sleep(1.0)
        ended.clear()
        began = time.process_time()
        command = [sys.executable, "-m", __spec__.name, "beat", place.address, str(count)]
        renewing = subprocess.Popen(command)
        ended.wait()
        used = time.process_time() - began
        renewing.wait()
        stop()
        door.stop()
        fleet.close()
    print(f"{used / count * 1e6:.1f} us of CPU an event, {count:,} events, {len(calls)} calls")


def beat(kubeconfig: str, count: int) -> None:
    """Renew all signs of life in turns, and in the end change a member."""
    bare = BareKubernetes(kubeconfig)
    beats = bare.listed(layout.selected(layout.BEAT))
    for number in range(count):
        one = beats[number % len(beats)]
        one["spec"]["renewTime"] = f"2026-01-01T{number // 3600 % 24:02}:00:00.{number % 10**6:06}Z"
        path = f"{PLACE}/{one['metadata']['name']}"
        beats[number % len(beats)] = bare.ask("PUT", path, one)
    (member, *_) = bare.listed(layout.selected(layout.HERE))
    member["metadata"]["annotations"]["note"] = ENDS
    bare.ask("PUT", f"{PLACE}/{member['metadata']['name']}", member)
    bare.close()


if __name__ == "__main__":
    if sys.argv[1:2] == ["beat"]:
        beat(sys.argv[2], int(sys.argv[3]))
    else:
        main()
