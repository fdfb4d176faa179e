"""Notifications of a real RabbitMQ: ours until they are on disk, and oslo.messaging's own listener.

Both have a queue of their own, so that each hears every message: in turns, in an interpreter of its
own each.
"""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from oslo_config import cfg

from benchmarks import places
from benchmarks.figures import BARE, Figure
from servicegroup.synchronizer import oslo

TOPIC = "measured"
TURNS = 3
OURS, THEIRS = "ours", "theirs"


def figures(messages: int) -> Iterator[Figure]:
    """Measure on a broker of our own."""
    with places.servers() as home:
        from servers.rabbitmq import RabbitMQ

        with RabbitMQ(home) as broker:
            yield figure(broker.url, messages, TURNS)


def figure(url: str, messages: int, turns: int) -> Figure:
    """Measure on that broker."""
    taken: dict[str, list[float]] = {OURS: [], THEIRS: []}
    for who in taken:
        _listened(who, url, 0)  # there is a queue from then on
    for _ in range(turns):
        _publish(url, messages)
        for who, seconds in taken.items():
            seconds.append(_listened(who, url, messages))
    ours, theirs = statistics.median(taken[OURS]), statistics.median(taken[THEIRS])
    note = f"{messages / ours:,.0f}/s, theirs {messages / theirs:,.0f}/s"
    return Figure("notifications of RabbitMQ", messages, ours, {BARE: theirs}, note=note)


def payload(number: int) -> dict[str, Any]:
    """What nova says of a server."""
    flavor = {"name": "m1.small", "flavorid": "a22d5517", "vcpus": 1, "memory_mb": 512}
    values = {
        "uuid": f"{number:08d}-0000-4000-8000-000000000000",
        "display_name": f"instance-{number}",
        "state": "active",
        "task_state": None,
        "power_state": "running",
        "tenant_id": "6f70656e737461636b20342065766572",
        "user_id": "d8b5c1f0a1b34f4c",
        "host": f"compute-{number % 500}",
        "flavor": {"nova_object.data": flavor, "nova_object.name": "FlavorPayload"},
        "availability_zone": "nova",
        "created_at": "2026-11-21T13:00:00Z",
        "updated_at": "2026-11-21T13:42:11Z",
        "deleted_at": None,
        "ip_addresses": [],
        "metadata": {"owner": "somebody"},
    }
    return {
        "nova_object.data": values,
        "nova_object.name": "InstanceActionPayload",
        "nova_object.namespace": "nova",
        "nova_object.version": "1.8",
    }


@contextlib.contextmanager
def transport(url: str) -> Iterator[Any]:
    """Have a transport with nothing but defaults."""
    conf = cfg.ConfigOpts()
    conf([], use_env=False)
    made = oslo.messaging().get_notification_transport(conf, url=url)
    try:
        yield made
    finally:
        made.cleanup()


def _publish(url: str, messages: int) -> None:
    with transport(url) as bus:
        notifier = oslo.messaging().Notifier(
            bus, "nova.compute", driver="messagingv2", topics=[TOPIC]
        )
        for number in range(messages):
            notifier.info({}, "instance.update", payload(number))


def _listened(who: str, url: str, messages: int) -> float:
    command = [sys.executable, "-m", "benchmarks.synchronizing.listener"]
    done = subprocess.run(
        [*command, who, url, str(messages)], check=True, stdout=subprocess.PIPE, text=True
    )
    return float(done.stdout)
