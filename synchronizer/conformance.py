"""The conformance suite for plugins that can say all there is: collectors, and complete streams.

A plugin's own test is a subclass with one fixture. Here is the whole of it, for a collector that
lists the files of a folder, whose state is what is in them::

    import pytest
    from servicegroup.testing import PluginConformance, PluginSource

    class FolderSource(PluginSource):
        plugin = "my_folder:FolderPlugin"

        def __init__(self, folder):
            self.folder = folder
            self.options = {"path": str(folder)}

        def hold(self, things):
            for path in self.folder.iterdir():
                path.unlink()
            for name, state in things.items():
                (self.folder / name).write_text(state)

    class TestFolder(PluginConformance):
        @pytest.fixture
        def source(self, tmp_path):
            folder = tmp_path / "source"
            folder.mkdir()
            return FolderSource(folder)
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from oslo_config import cfg

from .api import Synchronizer
from .consumer import ACKNOWLEDGED
from .errors import CollectionFailed
from .model import Entity
from .options import group_of
from .picture import Picture
from .plugin import StreamPlugin

#: Seconds for what a plugin may need to say all there is.
PATIENCE = 30.0
#: Seconds between two polls of a stream's source.
STEP = 0.2
#: So long that only what a test asks for is polled.
NEVER = "3600"


class PluginSource:
    """What a plugin reads, as its test controls it. Derive from it.

    ``plugin``: its name or class path. ``options``: of its own group of the configuration.
    ``settings``: lines of other groups, as ``{group: {option: value}}``.
    """

    plugin: ClassVar[str]
    options: Mapping[str, Any] = {}
    settings: Mapping[str, Mapping[str, Any]] = {}

    def hold(self, things: Mapping[str, str]) -> None:
        """Let the source hold exactly these things, named ``a``, ``b`` ..., each in state 1 or 2.

        What the states are to the source is up to you; an entity must differ between them.
        """
        raise NotImplementedError

    def key(self, name: str) -> str:
        """Return the key that the plugin gives to the thing of that name."""
        return name

    def fail(self) -> None:
        """Let the source answer nothing, or an error, until :meth:`mend`."""
        raise NotImplementedError

    def mend(self) -> None:
        """Let it answer again."""
        raise NotImplementedError


class PluginConformance:
    """All promises of a plugin. Subclass it and define the fixture ``source``."""

    #: How many random steps of how many things.
    steps: ClassVar[int] = 10

    @pytest.fixture
    def source(self) -> PluginSource:
        """Return a source that holds nothing."""
        raise NotImplementedError(
            f"{type(self).__name__} has to define the fixture 'source', a PluginSource"
        )

    @pytest.fixture
    def trial(self, source: PluginSource, tmp_path: Path) -> Iterator[Trial]:
        """Yield a synchronizer on the source, and a consumer that believes only what it is told."""
        trial = Trial(source, tmp_path)
        yield trial
        trial.stop()

    def test_everything_is_told(self, trial: Trial) -> None:
        trial.hold(a="1", b="2", c="1")
        trial.start()
        trial.agree()

    def test_an_empty_source_is_empty(self, trial: Trial) -> None:
        trial.hold()
        trial.start()
        trial.agree()
        assert trial.picture.entities == {}

    def test_what_does_not_change_is_told_once(self, trial: Trial) -> None:
        trial.hold(a="1", b="2")
        trial.start()
        trial.agree()
        trial.agree()
        trial.agree()
        assert trial.picture.changes == [], "if something always changes, declare fields="

    def test_a_change_is_told_and_nothing_else(self, trial: Trial) -> None:
        trial.hold(a="1", b="1")
        trial.start()
        trial.agree()
        before = trial.entity("a")
        trial.hold(a="2", b="1")
        trial.agree()
        assert trial.picture.changes == [("update", trial.key("a"))]
        assert trial.entity("a") != before

    def test_what_is_new_and_what_is_gone_are_told(self, trial: Trial) -> None:
        trial.hold(a="1", b="1")
        trial.start()
        trial.agree()
        trial.hold(b="1", c="1")
        trial.agree()
        assert sorted(trial.picture.changes) == [
            ("create", trial.key("c")),
            ("delete", trial.key("a")),
        ]

    def test_what_comes_back_is_told_again(self, trial: Trial) -> None:
        trial.hold(a="1", b="1")
        trial.start()
        trial.agree()
        for things in ({"b": "1"}, {"a": "1", "b": "1"}):
            trial.hold(**things)
            trial.agree()
        told = [("delete", trial.key("a")), ("create", trial.key("a"))]
        assert trial.picture.changes == told, trial.picture.changes

    def test_a_source_that_fails_changes_nothing(self, trial: Trial) -> None:
        trial.hold(a="1", b="1")
        trial.start()
        trial.agree()
        trial.fail()
        with pytest.raises(CollectionFailed):
            trial.poll()
        assert trial.picture.changes == [], "a failure must not look like an empty source"
        trial.source.mend()
        trial.hold(b="2")
        trial.agree()

    def test_a_restart_repeats_nothing_and_misses_nothing(self, trial: Trial) -> None:
        trial.hold(a="1", b="1", c="1")
        trial.start()
        trial.agree()
        trial.stop()
        trial.hold(a="1", b="2", d="1")
        trial.start(resumed=True)
        trial.agree()
        assert sorted(trial.picture.changes) == [
            ("create", trial.key("d")),
            ("delete", trial.key("c")),
            ("update", trial.key("b")),
        ]

    def test_a_killed_process_is_replaced_and_changes_nothing(self, trial: Trial) -> None:
        trial.hold(a="1", b="1")
        trial.start()
        trial.agree()
        trial.kill()
        with pytest.raises(CollectionFailed):
            trial.poll()
        trial.hold(a="2")
        trial.agree()
        assert sorted(trial.picture.changes) == [
            ("delete", trial.key("b")),
            ("update", trial.key("a")),
        ]

    def test_a_random_walk(self, trial: Trial) -> None:
        randomly = random.Random(8)  # noqa: S311
        trial.hold()
        trial.start()
        for _ in range(self.steps):
            names = randomly.sample("abcdefgh", randomly.randrange(9))
            trial.hold(**{name: randomly.choice("12") for name in names})
            if randomly.random() < 0.2:
                trial.stop()
                trial.start(resumed=True)
            trial.agree()
        assert not trial.picture.gaps


class Trial:
    """One plugin on its source, a synchronizer, and a consumer."""

    def __init__(self, source: PluginSource, folder: Path) -> None:
        self.source = source
        self.picture = Picture()
        self._folder = folder
        self._held: dict[str, str] = {}
        self._synchronizer: Synchronizer | None = None

    def hold(self, **things: str) -> None:
        """Let the source hold exactly these."""
        self._held = things
        self.source.hold(things)

    def key(self, name: str) -> str:
        """Return the key of a thing."""
        return self.source.key(name)

    def entity(self, name: str) -> Entity:
        """Return what the consumer holds of a thing, without its time."""
        (found,) = (one for one in self.picture.entities.values() if one.key == self.key(name))
        return found

    def start(self, *, resumed: bool = False) -> None:
        """Start a synchronizer; with *resumed*, the consumer goes on where it was."""
        synchronizer = Synchronizer(self._conf())
        synchronizer.register(
            synchronizer.entity_types,
            self.picture,
            name="trial",
            resume=ACKNOWLEDGED if resumed else None,
        )
        synchronizer.start()
        self._synchronizer = synchronizer

    def stop(self) -> None:
        """Stop it."""
        synchronizer, self._synchronizer = self._synchronizer, None
        if synchronizer is not None:
            synchronizer.stop()

    def poll(self) -> None:
        """Have the source polled once.

        :raises CollectionFailed: it could not be
        """
        self._truth()

    def agree(self) -> None:
        """Poll, and wait until the consumer holds exactly what the source holds."""
        keys = {self.key(name) for name in self._held}
        until = time.monotonic() + PATIENCE
        truth = self._truth()
        # What a stream heard before a poll it may tell after it; by the next one that is over.
        while self._hears() and time.monotonic() < until:
            if self._shown(truth, STEP) and {key for _, key in truth} == keys:
                return
            truth = self._truth()
        assert {key for _, key in truth} == keys, "the plugin does not say what the source holds"
        assert self._shown(truth, PATIENCE), (self.picture.entities, truth)

    def fail(self) -> None:
        """Let the source fail."""
        try:
            self.source.fail()
        except NotImplementedError:
            pytest.skip("no way to make this source fail was given (PluginSource.fail)")

    def kill(self) -> None:
        """Kill the process of the plugin."""
        assert self._synchronizer is not None
        pids = self._synchronizer.processes()
        if not pids:
            pytest.skip("this plugin has no process of its own")
        for pid in pids.values():
            os.kill(pid, signal.SIGKILL)

    def _truth(self) -> dict[tuple[str, str], Entity]:
        assert self._synchronizer is not None
        found = self._synchronizer.get_all(self._synchronizer.entity_types, PATIENCE)
        return {(one.type, one.key): one for one in found.entities}

    def _hears(self) -> bool:
        assert self._synchronizer is not None
        return any(one.kind == StreamPlugin.kind for one in self._synchronizer.status().sources)

    def _shown(self, truth: dict[tuple[str, str], Entity], timeout: float) -> bool:
        return self.picture.wait(lambda: self.picture.entities == truth, timeout)

    def _conf(self) -> cfg.ConfigOpts:
        groups = {
            "synchronizer": {
                "plugins": self.source.plugin,
                "baseline_path": self._folder / "baseline.sqlite",
                "poll_interval": NEVER,
                "retry_interval": NEVER,
            },
            group_of(self.source.plugin): self.source.options,
            **self.source.settings,
        }
        lines = []
        for group, values in groups.items():
            lines += [f"[{group}]", *(f"{name} = {value}" for name, value in values.items())]
        file = self._folder / "synchronizer.conf"
        file.write_text("\n".join(lines) + "\n")
        conf = cfg.ConfigOpts()
        conf([f"--config-file={file}"], project="servicegroup", use_env=False)
        return conf
