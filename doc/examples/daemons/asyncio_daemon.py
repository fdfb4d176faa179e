"""A daemon on asyncio alone.

python asyncio_daemon.py --config-file /etc/servicegroup/servicegroup.conf
"""

import asyncio
import contextlib
import logging
import signal
import sys

from oslo_config import cfg

import servicegroup

LOG = logging.getLogger("collector")


async def main():
    logging.basicConfig(level=logging.INFO)
    conf = cfg.ConfigOpts()
    conf(sys.argv[1:], project="servicegroup")
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stopping.set)

    sg = servicegroup.ServiceGroup(conf)
    # With wait=False it does not wait for the store, so it may be called in the loop.
    membership = sg.join("collector", sg.settings.host, wait=False)
    try:
        while not stopping.is_set():
            if not membership.alive:  # from memory
                LOG.warning("no work now: %s", membership.lost_reason or "not yet joined")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), 1)
    finally:
        await asyncio.to_thread(sg.close)  # leaves


if __name__ == "__main__":
    asyncio.run(main())
