"""A daemon on cotyledon: two workers, which are one member together and know their numbers.

python cotyledon_daemon.py --config-file /etc/servicegroup/servicegroup.conf
"""

import logging
import sys
import threading

import cotyledon
from oslo_config import cfg

import servicegroup

LOG = logging.getLogger("notifier")


class Notifier(cotyledon.Service):
    def __init__(self, worker_id, conf):  # in each worker
        super().__init__(worker_id)
        self.sg = servicegroup.ServiceGroup(conf)
        self.stopping = threading.Event()

    def run(self):
        # A worker that is started in place of a dead one has its number, and takes over its place.
        host = self.sg.settings.host
        membership = self.sg.join("notifier", host, worker=self.worker_id, wait=False)
        while not self.stopping.wait(1):
            if not membership.alive:
                LOG.warning("no work now: %s", membership.lost_reason or "not yet joined")

    def terminate(self):
        self.stopping.set()
        self.sg.close()


def main():
    logging.basicConfig(level=logging.INFO)
    conf = cfg.ConfigOpts()
    conf(sys.argv[1:], project="servicegroup")
    manager = cotyledon.ServiceManager()
    manager.add(Notifier, workers=2, args=(conf,))
    manager.run()


if __name__ == "__main__":
    main()
