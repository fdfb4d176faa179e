"""A consumer in a process of its own: ``consuming FILE``; prints events as JSON lines.

``reconcile N`` on its standard input: one complete poll, then everything is told, then it says so.
"""

import json
import sys
import time

from oslo_config import cfg
from sources.scripted import TYPE

from servicegroup.synchronizer import ACKNOWLEDGED, CollectionFailed, Synchronizer


def main():
    conf = cfg.ConfigOpts()
    conf(["--config-file", sys.argv[1]], project="servicegroup", use_env=False)
    sync = Synchronizer(conf)

    def say(**values):
        sys.stdout.write(json.dumps(values) + "\n")
        sys.stdout.flush()

    consumer = sync.register(
        [TYPE], lambda event: say(**event.as_dict()), name="graph", resume=ACKNOWLEDGED
    )
    sync.start()
    for line in sys.stdin:
        while True:
            try:
                seq = sync.get_all([TYPE]).token.seq
                break
            except CollectionFailed:  # its process was killed: that was no complete poll
                time.sleep(0.01)
        while consumer.position is None or consumer.position.seq < seq:
            time.sleep(0.001)
        say(op="reconciled", number=int(line.split()[1]))


if __name__ == "__main__":
    main()
