"""One of the demo's daemons, and all that a service written in Python has to do to be a member."""

from __future__ import annotations

import os
import signal
import sys
import threading

from oslo_config import cfg

from servicegroup import ServiceGroup


def main(config_file: str, group_id: str, member_id: str, name: str) -> None:
    """Be a member until told to end, or until whoever started us is gone."""
    ended = threading.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: ended.set())
    threading.Thread(target=_follow_starter, args=[ended], daemon=True).start()

    conf = cfg.ConfigOpts()
    conf([f"--config-file={config_file}"], project="servicegroup", use_env=False)
    with ServiceGroup(conf) as service_group:
        service_group.join(group_id, member_id, name=name)
        ended.wait()


def _follow_starter(ended: threading.Event) -> None:
    """End when our standard input does: its other end is held by whoever started us."""
    while os.read(0, 1):
        pass
    ended.set()


if __name__ == "__main__":
    main(*sys.argv[1:])
