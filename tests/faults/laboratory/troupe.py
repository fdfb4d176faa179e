"""The processes of a fleet, held by who directs them; those that survive are used again."""

from collections.abc import Callable
from typing import Any

import faketime
from fleet.process import Daemon


class Actor(Daemon):
    """A process of :mod:`faults.laboratory.actor`; orders are given without waiting for answers."""

    program = "faults.laboratory.actor"

    def __init__(self, skew: float) -> None:
        environment = faketime.skewed_environment(skew) if skew else None
        super().__init__(None, environment)
        self.skew = skew
        self._begun = 1  # it says that it is ready
        self.spoiled = False

    def begin(self, call: str, *arguments: Any, **named: Any) -> None:
        """Give an order; they are carried out one after another."""
        self._begun += 1
        super().begin(call, *arguments, **named)

    def finish(self) -> None:
        """Wait until all orders are carried out.

        :raises DaemonError: one failed
        """
        while self._answers < self._begun:
            self._answer()

    @property
    def busy(self) -> bool:
        """Whether an order is not carried out yet."""
        return len(self.heard("answer")) + len(self.heard("error")) < self._begun


class Troupe:
    """Actors between schedules; as a context manager closed with all of them."""

    def __init__(self) -> None:
        self._idle: list[Actor] = []

    def take(self, skew: float = 0.0, *, fresh: bool = False) -> Actor:
        """Take an actor whose wall clock is off by *skew* seconds, started if there is none."""
        for actor in self._idle:
            if actor.skew == skew and not fresh:
                self._idle.remove(actor)
                return actor
        return Actor(skew)

    def give_back(self, actor: Actor) -> None:
        """Keep an actor whose life in a fleet is over."""
        self._idle.append(actor)

    def close(self) -> None:
        """End all."""
        _each([actor.close for actor in self._idle])
        self._idle.clear()

    def __enter__(self) -> "Troupe":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _each(calls: list[Callable[[], object]]) -> None:
    for call in calls:
        call()
