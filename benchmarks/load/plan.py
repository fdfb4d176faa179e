"""How large the fleet is, for how long it runs, and by which settings."""

from __future__ import annotations

import dataclasses
from typing import Any

#: Seconds: what a look at the store and telling of it may take beside what has to pass.
TOLD_WITHIN = 0.05


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is run on each store; all times in seconds."""

    seconds: float = 60.0
    members: int = 10_000
    processes: int = 10
    instances: int = 10_000
    connections: int = 200
    #: Instances where each needs a connection of its own.
    sessions: int = 1_000
    kills: int = 100
    #: Processes that are made to be killed, one group of so many after another.
    victims: int = 20
    #: Members that live on beside them.
    beside: int = 1_000
    interval: float = 10.0
    down_time: float = 60.0
    #: The same where no guardian tells of a death, so that it ends in time.
    short_interval: float = 1.0
    short_down_time: float = 5.0
    poll: float = 1.0
    #: Between two listings.
    pause: float = 2.0

    def core(self, *, short: bool = False, guardian: bool = False) -> dict[str, Any]:
        """Return options of ``[servicegroup]``."""
        return {
            "report_interval": self.short_interval if short else self.interval,
            "service_down_time": self.short_down_time if short else self.down_time,
            "poll_interval": self.poll,
            "guardian": guardian,
        }
