"""A synchronizer on a scripted source, and a consumer that believes only its callbacks."""

import json

from oslo_config import cfg
from sources.scripted import TYPE

from servicegroup import synchronizer
from servicegroup.synchronizer import Synchronizer
from servicegroup.synchronizer.finding import installed

#: Seconds: a poll of a scripted source takes milliseconds, but machines are busy.
PATIENCE = 60.0
#: So long that only what a test asks for is polled.
NEVER = 3600


class Picture(synchronizer.Picture):
    """A consumer that believes only its callbacks."""

    def until(self, what, seconds=PATIENCE):
        assert self.wait(what, seconds), (self.states, self.statuses, self.events[-5:])

    def until_states(self, **states):
        self.until(lambda: self.states == states)


class Source:
    """The file of a scripted collector."""

    def __init__(self, path):
        self.path = path
        self.write()

    def write(self, *entities, then="end", **more):
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps({"entities": list(entities), "then": then, **more}))
        new.replace(self.path)

    def states(self, then="end", **states):
        self.write(*({"key": key, "state": value} for key, value in states.items()), then=then)

    def _lines(self, suffix):
        path = self.path.with_suffix(suffix)
        return path.read_text().split() if path.exists() else []

    @property
    def polls(self):
        """The process of each complete poll."""
        return [int(pid) for pid in self._lines(".polls")]

    @property
    def since(self):
        return [float(since) for since in self._lines(".since")]


class Scene:
    """One synchronizer after the other on one baseline, with one scripted source."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.source = Source(folder / "source.json")
        self.running = []

    def conf(self, plugin="Scripted", **options):
        """*plugin*: one or more of sources.scripted, with commas between."""
        own = {"path": str(self.source.path)} | options.pop("own", {})
        general = {
            "plugins": ",".join(
                one if one in installed() else f"sources.scripted:{one}"
                for one in plugin.split(",")
            ),
            "baseline_path": str(self.folder / "baseline.sqlite"),
            "poll_interval": NEVER,
            "retry_interval": 0.02,
        } | {key: value for key, value in options.items() if key != "groups"}
        groups = {"synchronizer": general, **options.pop("groups", {})}
        groups |= {f"synchronizer_{one}": own for one in plugin.split(",")}
        file = self.folder / "synchronizer.conf"
        file.write_text(
            "\n".join(
                f"[{group}]\n" + "\n".join(f"{key} = {value}" for key, value in values.items())
                for group, values in groups.items()
            )
        )
        conf = cfg.ConfigOpts()
        conf([f"--config-file={file}"], project="servicegroup", use_env=False)
        return conf

    def start(self, plugin="Scripted", consumer=None, types=(TYPE,), **options):
        how = {name: options.pop(name) for name in ("name", "resume") if name in options}
        sync = Synchronizer(self.conf(plugin, **options))
        if consumer is not None:
            sync.register(types, consumer, **how)
        self.running.append(sync)
        sync.start()
        return sync

    def close(self):
        for sync in self.running:
            sync.stop()
