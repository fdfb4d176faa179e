"""Hosts and services as Nagios sees them, by its ``statusjson.cgi``."""

from .plugin import NagiosPlugin

__all__ = ["NagiosPlugin"]
