"""The plugin that hears the notifications of a cloud."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from ...model import Item
from ...plugin import MessageBusPlugin, Notification
from . import notifications, shapes


class OpenStackNotificationsPlugin(MessageBusPlugin):
    """Hears nova, cinder, neutron, heat and ironic, in whichever format they notify.

    Hosts are only told when they are gone: whether one is up is in no notification.
    """

    entity_types = (
        *(shapes.INSTANCE, shapes.HOST, shapes.VOLUME, shapes.NETWORK, shapes.PORT),
        *(shapes.STACK, shapes.NODE),
    )
    event_types: ClassVar[tuple[str, ...]] = tuple(notifications.READERS)

    def entities(self, notification: Notification) -> Iterable[Item]:
        """Return what *notification* says.

        :raises ValueError: it is malformed
        """
        return notifications.items(notification.event_type, notification.payload)
