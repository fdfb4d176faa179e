"""Notifications of oslo.messaging: heard in batches, in order, acknowledged when stored.

What the library does by default loses messages or their order: it hears one priority, competes
for the queue with others, prefetches without bound, handles several at once and acknowledges what
raised. Each of these is set otherwise here.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from oslo_config import cfg

from servicegroup.clock import boottime

from . import oslo
from .broker import BrokerLost, BrokerWatch
from .collecting import said
from .model import Item
from .options import group_of
from .plugin import Feed, Incomplete, MessageBusPlugin, Notification, StreamPlugin

LOG = logging.getLogger(__name__)

PRIORITIES = ("audit", "debug", "info", "warn", "error", "critical", "sample")
#: Seconds that an incomplete batch waits for more.
BATCH_TIMEOUT = 0.05
#: Seconds after the last malformed notification until all is well again.
FORGIVEN_AFTER = 60.0
#: Seconds between two tries to reach the broker: the first and the longest pause.
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 15.0

OPTIONS: Sequence[cfg.Opt] = (
    cfg.StrOpt(
        "transport_url",
        secret=True,
        help="The message bus, such as rabbit://user:password@host:5672/. Default: that of "
        "[oslo_messaging_notifications] or [DEFAULT] transport_url.",
    ),
    cfg.ListOpt(
        "topics",
        default=["notifications"],
        help="The topics to hear. The services must be configured to notify on them.",
    ),
    cfg.ListOpt(
        "exchanges",
        default=[],
        sample_default="<control_exchange of oslo.messaging>",
        help="The exchanges that the services notify on, such as nova,cinder,neutron.",
    ),
    cfg.StrOpt(
        "pool",
        sample_default="<servicegroup- and the name of the plugin>",
        help="The name of our own queue, so that nobody's messages are taken away. Two "
        "synchronizers on one bus that both want everything need different pools.",
    ),
    cfg.IntOpt(
        "batch_size", default=100, min=1, help="How many notifications are handled at once."
    ),
    cfg.IntOpt(
        "prefetch",
        default=200,
        min=1,
        help="How many notifications the broker hands out before the first is acknowledged. At "
        "least batch_size.",
    ),
)


class Listening(StreamPlugin):
    """Runs one bus plugin: hears, has it understood, and puts what it says into the feed."""

    kind = "bus"

    def __init__(self, plugin: MessageBusPlugin, conf: cfg.ConfigOpts) -> None:
        super().__init__(plugin.context)
        group = group_of(plugin.context.name)
        conf.register_opts(OPTIONS, group=group)
        self.entity_types = plugin.entity_types
        self._plugin = plugin
        self._bus = conf[group]
        self._pool = self._bus.pool or f"servicegroup-{group.removeprefix('synchronizer_')}"
        self._files = list(getattr(conf, "config_file", None) or [])
        self._warned: float | None = None

    def run(self, feed: Feed, stopping: threading.Event) -> None:
        """Listen once the plugin is prepared; begin again whenever the broker was lost."""
        self._plugin.prepare()
        lost, pause = "it listens from now on", FIRST_PAUSE
        while not stopping.is_set():
            transport = self._transport()
            watch = BrokerWatch(transport[1])
            try:
                watch.open()
                with _Listener(transport[0], self._bus, self._pool, self._handler(feed)):
                    feed.recovered(lost=lost)
                    pause = FIRST_PAUSE
                    watch.watch(stopping)
            except BrokerLost as error:
                lost = str(error)
                feed.failing(lost)
                stopping.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            finally:
                watch.close()
                if transport[1].transport != "fake":  # that would empty the bus for everybody
                    transport[0].cleanup()

    def probe(self) -> str:
        """Probe the plugin, connect to the broker and hang up; nothing is declared there.

        :raises Incomplete: nobody answers, or we are refused
        """
        prepared = self._plugin.probe()
        transport, url = self._transport()
        watch = BrokerWatch(url)
        try:
            watch.open()
        except BrokerLost as error:
            raise Incomplete(str(error)) from error
        finally:
            watch.close()
            if url.transport != "fake":
                transport.cleanup()
        broker = "the broker lets us in" if watch.watches else ""
        return "; ".join(filter(None, (prepared, broker)))

    @property
    def counted_fields(self) -> Sequence[str] | None:
        """Those of the plugin."""
        return self._plugin.fields

    def close(self) -> None:
        """Close the plugin."""
        self._plugin.close()

    def _transport(self) -> tuple[Any, Any]:
        """Return a transport with settings of its own, and its URL."""
        messaging = oslo.messaging()
        conf = cfg.ConfigOpts()
        conf([], default_config_files=self._files)
        transport = messaging.get_notification_transport(conf, url=self._bus.transport_url)
        group = "oslo_messaging_rabbit"
        if group in conf and not conf[group].rabbit_qos_prefetch_count:
            prefetch = max(self._bus.prefetch, self._bus.batch_size)
            conf.set_override("rabbit_qos_prefetch_count", prefetch, group)
        return transport, messaging.TransportURL.parse(conf, self._bus.transport_url)

    def _handler(self, feed: Feed) -> Callable[[str, list[dict[str, Any]]], bool]:
        beginnings = tuple(self._plugin.event_types)

        def handle(priority: str, messages: list[dict[str, Any]]) -> bool:
            """Return whether the messages are done with."""
            understood: list[tuple[Notification, list[Item]]] = []
            for message in messages:
                if str(message.get("event_type", "")).startswith(beginnings):
                    notification = _notification(priority, message)
                    items = self._understood(feed, notification)
                    if items:
                        understood.append((notification, items))
            try:
                self._put(feed, understood)
            except Exception:
                LOG.exception("plugin %s: notifications could not be stored", self.context.name)
                time.sleep(FIRST_PAUSE)  # they are delivered again at once
                return False
            if self._warned is not None and boottime() > self._warned + FORGIVEN_AFTER:
                self._warned = None
                feed.recovered()
            return True

        return handle

    def _understood(self, feed: Feed, notification: Notification) -> list[Item]:
        try:
            return list(self._plugin.entities(notification))
        except Exception as error:  # noqa: BLE001 - it is the plugin's, or the sender's
            self._malformed(feed, notification, error)
            return []

    def _put(self, feed: Feed, understood: list[tuple[Notification, list[Item]]]) -> None:
        try:
            feed.changed([item for _, items in understood for item in items])
        except (TypeError, ValueError):  # one of them is wrong: find out which
            for notification, items in understood:
                try:
                    feed.changed(items)
                except (TypeError, ValueError) as error:
                    self._malformed(feed, notification, error)

    def _malformed(self, feed: Feed, notification: Notification, error: Exception) -> None:
        self._warned = boottime()
        feed.malformed(
            f"notification {notification.message_id} ({notification.event_type!r} of "
            f"{notification.publisher_id!r}) is left out: {said(error)}"
        )


class _Listener:
    """One notification listener of oslo.messaging, as a context manager."""

    def __init__(
        self,
        transport: Any,
        bus: Any,
        pool: str,
        handle: Callable[[str, list[dict[str, Any]]], bool],
    ) -> None:
        messaging = oslo.messaging()
        targets = [
            messaging.Target(topic=topic, exchange=exchange)
            for topic in bus.topics
            for exchange in bus.exchanges or [None]
        ]
        self._server = messaging.get_batch_notification_listener(
            transport,
            targets,
            [_endpoint(handle)],
            executor="threading",
            allow_requeue=True,
            pool=pool,
            batch_size=bus.batch_size,
            batch_timeout=BATCH_TIMEOUT,
        )

    def __enter__(self) -> _Listener:
        # One thread: what is handled at the same time is handled in any order.
        self._server.start(override_pool_size=1)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()
        self._server.wait()


def _endpoint(handle: Callable[[str, list[dict[str, Any]]], bool]) -> Any:
    """Return what oslo.messaging calls: an object with one method for each priority."""
    result = oslo.messaging().NotificationResult

    def method(priority: str) -> Callable[[Any, list[dict[str, Any]]], Any]:
        def called(self: Any, messages: list[dict[str, Any]]) -> Any:  # noqa: ARG001
            return result.HANDLED if handle(priority, messages) else result.REQUEUE

        return called

    return type("Endpoint", (), {priority: method(priority) for priority in PRIORITIES})()


def _notification(priority: str, message: dict[str, Any]) -> Notification:
    metadata = message.get("metadata") or {}
    return Notification(
        event_type=str(message.get("event_type", "")),
        payload=message.get("payload"),
        publisher_id=str(message.get("publisher_id", "")),
        priority=priority,
        message_id=str(metadata.get("message_id", "")),
        timestamp=str(metadata.get("timestamp", "")),
    )
