"""The REST faces: a WSGI application in the formats of Vitrage's, Ironic's and Nova's clients."""

from servicegroup.rest.app import application
from servicegroup.rest.options import GROUP, ApiSettings, api_settings, register_options

__all__ = ["GROUP", "ApiSettings", "api_settings", "application", "register_options"]
