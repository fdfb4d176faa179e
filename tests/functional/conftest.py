"""The db driver on each database, from the front door to the server's own log."""

from fleet.fixtures import *  # noqa: F403
