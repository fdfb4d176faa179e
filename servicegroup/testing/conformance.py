"""The conformance suite: every promise of :mod:`servicegroup.driver` has a named test here.

A driver's own test is a subclass with one fixture. Here is the whole of it, for a driver that
keeps its members in a folder of files::

    import pytest
    from servicegroup.testing import DriverConformance, Store, clear_folder


    class TestFiles(DriverConformance):
        @pytest.fixture
        def store(self, tmp_path):
            options = {"servicegroup_files": {"folder": str(tmp_path)}}
            with Store("files", options, lose=lambda: clear_folder(tmp_path)) as store:
                yield store

The suite asks the driver for its capabilities: what is promised must work, what is not must
refuse. What a store cannot show in a test is skipped, and the reason names what would help. Where
beats can be made older by the test (``age=``), nothing waits; elsewhere expect some minutes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import pytest

from servicegroup.driver import Capability
from servicegroup.testing.machine import walk
from servicegroup.testing.promises.abilities import Abilities
from servicegroup.testing.promises.ages import Ages, Verdicts, Witnesses
from servicegroup.testing.promises.beating import Beating
from servicegroup.testing.promises.ending import Ends
from servicegroup.testing.promises.joining import Joining
from servicegroup.testing.promises.leaving import Leaving
from servicegroup.testing.promises.losing import Losses
from servicegroup.testing.promises.racing import Races
from servicegroup.testing.promises.seeing import Seeing
from servicegroup.testing.promises.texts import Texts
from servicegroup.testing.promises.updating import Updating
from servicegroup.testing.promises.watching import Watching
from servicegroup.testing.promises.willing import Wills
from servicegroup.testing.store import Store


class DriverConformance(
    Joining,
    Updating,
    Beating,
    Leaving,
    Ends,
    Wills,
    Seeing,
    Texts,
    Ages,
    Witnesses,
    Verdicts,
    Abilities,
    Losses,
    Watching,
    Races,
):
    """All promises, and a random walk over them. Subclass it and define the fixture ``store``."""

    #: How many random walks, of how many steps each.
    walks: ClassVar[int] = 40
    steps: ClassVar[int] = 30
    #: Whether a walk that fails is shrunk to a short one, which takes minutes on a slow store.
    shrink: ClassVar[bool] = True

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        """Yield an empty store that nobody else uses."""
        raise NotImplementedError(
            f"{type(self).__name__} has to define the fixture 'store', which yields a "
            f"servicegroup.testing.Store"
        )

    @pytest.fixture(autouse=True)
    def _what_a_reader_cannot_show(self, request: pytest.FixtureRequest, store: Store) -> None:
        reads_only = Capability.READ_ONLY in store.kind.capabilities
        if reads_only and "or_refuses" not in request.function.__name__:
            pytest.skip("a driver that only reads has no members of its own to show this with")

    def test_a_random_walk(self, store: Store) -> None:
        if store.lose is None:
            pytest.skip("no way to make this store lose its contents was given (lose=)")
        walk(store, walks=self.walks, steps=self.steps, shrink=self.shrink)
