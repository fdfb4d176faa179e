"""Many daemons as real processes, forked from one program that has everything imported.

Its argument is the options that all of them have, ``{option group: {option: value}}``, and the
drivers to make ready. It reads ``["start", number, {options of [servicegroup]}]`` and ``["stop",
number]``, one a line, and says ``{"up": number}`` when a daemon is a member in every store that it
reports to, ``{"ended": number}`` when it left and is gone. All end in good order as its input does.
"""

import contextlib
import gc
import json
import os
import select
import sys
import time
from typing import Any

from oslo_config import cfg

import servicegroup
from servicegroup import config, loading

GROUP = "fleet"
#: Seconds between two changes of attributes by each daemon.
PACE = 1.0


def configured(shared: dict[str, dict[str, Any]], options: dict[str, Any]) -> cfg.ConfigOpts:
    """Build the configuration of one process."""
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[], default_config_dirs=[])
    config.register(conf)
    config.register_database(conf)
    for name in (options["driver"], *options.get("report_to", ())):
        loading.register_options(conf, loading.load(name))
    values = {**shared, config.GROUP: {**shared[config.GROUP], **options}}
    for group, names in values.items():
        if group in conf:
            for name, value in names.items():
                conf.set_override(name, value, group)
    return conf


def say(what: dict[str, Any]) -> None:
    """Write one line, short enough that no other process's can get in between."""
    os.write(1, json.dumps(what).encode() + b"\n")


def live(number: int, conf: cfg.ConfigOpts, leash: int) -> None:
    """Be a daemon until the leash is let go."""
    key = (GROUP, f"node-{number}")
    with servicegroup.ServiceGroup(conf) as group:
        member = group.join(*key, name="daemon", wait=False)
        heart = group._process.heart
        while not all(report.stored(key) for report in heart._everywhere):
            time.sleep(0.005)
        say({"up": number})
        changes = 0
        while not select.select([leash], [], [], PACE)[0]:
            changes += 1
            with contextlib.suppress(servicegroup.DriverUnavailable):
                member.update({"changes": changes})


def main() -> None:
    """Obey until the input ends."""
    shared = json.loads(sys.argv[1])
    for driver in shared.pop("drivers"):  # what each of them would load by itself, and more slowly
        with servicegroup.ServiceGroup(configured(shared, {"driver": driver})) as group:
            group.join("warm", "warm").leave()
    gc.collect()
    gc.freeze()
    leashes: dict[int, int] = {}
    pids: dict[int, int] = {}
    say({"ready": True})
    heard = b""
    while True:
        if select.select([0], [], [], 0.005)[0]:
            more = os.read(0, 65536)
            if not more:
                break
            *lines, heard = (heard + more).split(b"\n")
            for line in lines:
                order, number, *rest = json.loads(line)
                if order == "stop":
                    os.close(leashes.pop(number))
                    continue
                end, leash = os.pipe()
                pid = os.fork()
                if not pid:
                    for other in (leash, *leashes.values()):
                        os.close(other)
                    try:
                        live(number, configured(shared, *rest), end)
                    except BaseException as error:  # noqa: BLE001 - the test is told
                        say({"failed": number, "error": repr(error)[:500]})
                    os._exit(0)
                os.close(end)
                leashes[number], pids[pid] = leash, number
        _reap(pids)
    for leash in leashes.values():
        os.close(leash)
    while pids:
        _reap(pids)
        time.sleep(0.01)


def _reap(pids: dict[int, int]) -> None:
    while pids:
        pid, _ = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        say({"ended": pids.pop(pid)})


if __name__ == "__main__":
    main()
