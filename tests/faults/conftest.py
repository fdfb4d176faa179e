"""Faults are injected for real: what is killed, stopped, stepped or lost is a real thing."""

from fleet.fixtures import *  # noqa: F403
