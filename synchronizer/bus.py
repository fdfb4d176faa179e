"""Bus plugins: what they are given of a message bus, and what is made of what they say.

The bus is heard for as long as its broker is there; after it was lost, nobody knows what was said.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from oslo_config import cfg

from servicegroup.clock import boottime

from . import oslo
from .broker import BrokerLost, BrokerWatch
from .collecting import said
from .listener import Listener
from .model import Item
from .options import group_of
from .plugin import Feed, Incomplete, MessageBusPlugin, Notification, StreamPlugin

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

#: Notifications, and what each says.
Understood = list[tuple[Notification, list[Item]]]


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
        self._beginnings = tuple(plugin.event_types)
        self._warned: float | None = None
        self._unstored = False

    def run(self, feed: Feed, stopping: threading.Event) -> None:
        """Listen once the plugin is prepared; begin again whenever the broker was lost."""
        self._plugin.prepare()
        lost, pause = "it listens from now on", FIRST_PAUSE
        while not stopping.is_set():
            watch = BrokerWatch(self._url())
            transport = None
            try:
                watch.open()
                transport = self._transport(watch.url)
                with Listener(transport, self._bus, self._pool, partial(self._understand, feed)):
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
                # That of a bus in memory would empty it for everybody.
                if transport is not None and watch.url.transport != "fake":
                    transport.cleanup()

    def probe(self) -> str:
        """Probe the plugin, connect to the broker and hang up; nothing is declared there.

        :raises Incomplete: nobody answers, or we are refused
        """
        prepared = self._plugin.probe()
        watch = BrokerWatch(self._url())
        try:
            watch.open()
        except BrokerLost as error:
            raise Incomplete(str(error)) from error
        finally:
            watch.close()
        broker = "the broker lets us in" if watch.watches else ""
        return "; ".join(filter(None, (prepared, broker)))

    @property
    def counted_fields(self) -> Sequence[str] | None:
        """Those of the plugin."""
        return self._plugin.fields

    def close(self) -> None:
        """Close the plugin."""
        self._plugin.close()

    def _url(self) -> Any:
        """Return where the bus is: what our own group says, else what those of oslo.messaging do.

        It holds a configuration of its own, with the options for that kind of bus.
        """
        messaging = oslo.messaging()
        conf = cfg.ConfigOpts()
        conf([], default_config_files=self._files)
        # Nothing is connected: it only registers the options.
        messaging.get_notification_transport(conf, url=self._bus.transport_url)
        named = self._bus.transport_url or conf.oslo_messaging_notifications.transport_url
        return messaging.TransportURL.parse(conf, named)

    def _transport(self, url: Any) -> Any:
        group = "oslo_messaging_rabbit"
        if group in url.conf and not url.conf[group].rabbit_qos_prefetch_count:
            prefetch = max(self._bus.prefetch, self._bus.batch_size)
            url.conf.set_override("rabbit_qos_prefetch_count", prefetch, group)
        return oslo.messaging().get_notification_transport(url.conf, url=str(url))

    def _understand(self, feed: Feed, messages: Sequence[dict[str, Any]]) -> Callable[[], None]:
        """Have some messages understood; returns what stores what they say, in their order."""
        understood: Understood = []
        for message in messages:
            if str(message.get("event_type", "")).startswith(self._beginnings):
                notification = _notification(message)
                items = self._understood(feed, notification)
                if items:
                    understood.append((notification, items))
        return partial(self._store, feed, understood)

    def _store(self, feed: Feed, understood: Understood) -> None:
        try:
            self._put(feed, understood)
        except Exception as error:
            self._unstored = True
            feed.failing(f"notifications could not be stored: {said(error)}")
            raise
        forgiven = self._warned is not None and boottime() > self._warned + FORGIVEN_AFTER
        if self._unstored or forgiven:
            feed.recovered()
            self._unstored = False
            self._warned = None if forgiven else self._warned

    def _understood(self, feed: Feed, notification: Notification) -> list[Item]:
        try:
            return list(self._plugin.entities(notification))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - it is the plugin's, or the sender's
            self._malformed(feed, notification, error)
            return []

    def _put(self, feed: Feed, understood: Understood) -> None:
        try:
            feed.changed([item for _, items in understood for item in items])
        except (TypeError, ValueError):  # one of them is wrong: find out which
            for notification, items in understood:
                try:
                    feed.changed(items)
                except (TypeError, ValueError) as error:
                    self._malformed(feed, notification, error)

    def _malformed(self, feed: Feed, notification: Notification, error: BaseException) -> None:
        self._warned = boottime()
        feed.malformed(
            f"notification {notification.message_id} ({notification.event_type!r} of "
            f"{notification.publisher_id!r}) is left out: {said(error)}"
        )


def _notification(message: dict[str, Any]) -> Notification:
    return Notification(
        event_type=str(message.get("event_type", "")),
        payload=message.get("payload"),
        publisher_id=str(message.get("publisher_id", "")),
        priority=str(message.get("priority", "")).lower(),
        message_id=str(message.get("message_id", "")),
        timestamp=str(message.get("timestamp", "")),
    )
