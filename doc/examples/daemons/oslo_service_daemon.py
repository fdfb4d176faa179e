"""A daemon on oslo.service: two workers, which are one member together, and a timer.

python oslo_service_daemon.py --config-file /etc/servicegroup/servicegroup.conf
"""

import logging
import sys

from oslo_config import cfg
from oslo_service import backend

import servicegroup

backend.init_backend(backend.BackendType.THREADING)
from oslo_service import service  # noqa: E402 - after the choice of its back end

LOG = logging.getLogger("conductor")


class Conductor(service.Service):
    def __init__(self, conf):
        super().__init__()
        self.sg = servicegroup.ServiceGroup(conf)  # inherited by the workers: it connects there

    def start(self):  # in each worker
        super().start()
        host = self.sg.settings.host
        self.membership = self.sg.join("conductor", host, worker=True, wait=False)
        self.tg.add_timer(1, self.work)

    def work(self):
        if not self.membership.alive:
            LOG.warning("no work now: %s", self.membership.lost_reason or "not yet joined")

    def stop(self, graceful=False):  # also in the parent, which never joined
        self.sg.close()
        super().stop(graceful)


def main():
    logging.basicConfig(level=logging.INFO)
    conf = cfg.ConfigOpts()
    conf(sys.argv[1:], project="servicegroup")
    return service.launch(conf, Conductor(conf), workers=2, restart_method="mutate").wait()


if __name__ == "__main__":
    sys.exit(main())
