"""The short times that fleets of the laboratory live by, and the bounds promised for them."""

from typing import Any, NamedTuple

#: The longest wait before the next try after a failure, in intervals.
BACK_OFF = 0.25
#: Seconds: the shortest time-out of a request (``Settings.call_timeout``).
SHORTEST_CALL = 0.5
#: Intervals less than the limit by which a witness's beats may be apart (``steady_gap``).
OUTAGE_INTERVALS = 2.1
#: Requests that one look of a watch takes at most.
REQUESTS = 3
#: Seconds for which nobody can be blamed where several processes share a core.
ROOM = 0.5


class Times(NamedTuple):
    """Settings of ``[servicegroup]`` in seconds.

    ``ends_after``: seconds after which the store itself ends a silent life, where it does.
    ``rounding``: seconds by which the store's own ages may be too small. ``forgets``: whether who
    is silent or dead is no member any more, in place of being down.
    """

    interval: float = 0.2
    down: float = 1.5
    poll: float = 0.1
    ends_after: float | None = None
    rounding: float = 0.0
    forgets: bool = False

    def options(self) -> dict[str, Any]:
        """Name them as options."""
        return {
            "report_interval": self.interval,
            "service_down_time": self.down,
            "poll_interval": self.poll,
            "stop_deadline": 2.0,
        }

    @property
    def call(self) -> float:
        """The time-out of one request."""
        return max(0.8 * self.interval, SHORTEST_CALL)

    @property
    def silence(self) -> float:
        """How old the last beat of a living member may be before somebody may call it down."""
        return self.down if self.ends_after is None else min(self.down, self.ends_after)

    @property
    def steady_gap(self) -> float:
        """How far apart the beats of a witness may be."""
        return self.down - OUTAGE_INTERVALS * self.interval

    @property
    def apart(self) -> float:
        """How far apart two outages are at least: in between, everybody beats."""
        return 2.5 * self.interval

    @property
    def beaten(self) -> float:
        """Within this time after a fault's end a living process has beaten again."""
        return max(self.interval, self.call + BACK_OFF * self.interval)

    @property
    def mended(self) -> float:
        """Within this time a process has given up a connection that answers no more, and beaten."""
        return REQUESTS * self.call + BACK_OFF * self.interval

    @property
    def looked(self) -> float:
        """Within this time an observer that can reach the store has looked at it."""
        return self.poll + self.call

    @property
    def recovered(self) -> float:
        """Within this time after the last fault's end everybody alive is seen up."""
        return self.mended + self.looked + ROOM

    @property
    def noticed(self) -> float:
        """Within this time after a death everybody who can reach the store says so."""
        return max(self.down + self.rounding, self.ends_after or 0.0) + self.looked + ROOM

    @property
    def told(self) -> float:
        """Within this time after a death everybody says so whom a guardian could tell."""
        return self.looked + ROOM / 2

    @property
    def view(self) -> float:
        """How old the view of a watch may be while it counts as fresh."""
        return max(min(3 * self.poll, self.poll + self.interval), self.interval) + ROOM
