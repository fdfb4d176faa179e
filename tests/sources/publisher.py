"""A service that notifies, as OpenStack's do."""

import warnings

from oslo_config import cfg

from servicegroup.synchronizer.oslo import messaging

#: Seconds.
PATIENCE = 10


class Publisher:
    """Notifies on one topic; as a context manager closed."""

    def __init__(self, url, topic="notifications", exchange=None):
        conf = cfg.ConfigOpts()
        conf([], use_env=False)
        bus = messaging()
        self.transport = bus.get_notification_transport(conf, url=url)
        if exchange:
            conf.set_override("control_exchange", exchange)
        self._target = bus.Target(topic=f"{topic}.info")
        self._notifier = bus.Notifier(
            self.transport, "thing.host", driver="messagingv2", topics=[topic], retry=2
        )

    def say(self, priority="info", event="thing.update", **payload):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            getattr(self._notifier, priority)({}, event, payload)

    def say_exactly(self, message):
        """Send a message as it is, which the library would not make."""
        self.transport._send_notification(self._target, {}, message, version=2.0)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.transport.cleanup()
