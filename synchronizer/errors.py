"""Errors of the synchronizer, all below the library's one root."""

from __future__ import annotations

from servicegroup.exceptions import ConfigurationError, NotSupported, ServiceGroupError


class PluginNotFound(ConfigurationError):
    """No plugin of that name or class path can be loaded; the message lists those that can."""


class PluginError(ConfigurationError):
    """A plugin was loaded but cannot work as it is or as it is configured."""


class EntityTypeNotFound(ServiceGroupError, LookupError):
    """No configured plugin delivers this entity type; the message lists those that are."""


class NotCollected(NotSupported):
    """This type only comes as notifications: nobody can be asked for all of it."""


class CollectionFailed(ServiceGroupError, RuntimeError):
    """The source could not be polled; the message names the plugin and says why."""

    retryable = True
