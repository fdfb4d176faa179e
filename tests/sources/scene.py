"""A synchronizer on a scripted source, and a consumer that believes only its callbacks."""

import json
import threading

from oslo_config import cfg
from sources.scripted import TYPE

from servicegroup.synchronizer import Op, Synchronizer
from servicegroup.synchronizer.finding import installed

#: Seconds: a poll of a scripted source takes milliseconds.
PATIENCE = 10.0
#: So long that only what a test asks for is polled.
NEVER = 3600


class Picture:
    """A consumer that believes only its callbacks, and checks that it misses nothing."""

    def __init__(self):
        self.entities = {}
        self.events = []
        self.statuses = []
        self.gaps = []
        self.snapshots = 0
        self.token = None
        self.trouble = None
        self._new = None
        self._changed = threading.Condition()

    def __call__(self, event):
        with self._changed:
            if self.trouble is not None:
                raise self.trouble
            if not event.follows(self.token):
                self.gaps.append(event)
            self._take(event)
            self.events.append(event)
            if event.token is not None:
                self.token = event.token
            self._changed.notify_all()

    def _take(self, event):
        if event.op is Op.STATUS:
            self.statuses.append((event.state, event.reason))
        elif event.op is Op.SNAPSHOT_BEGIN:
            self._new = {}
        elif event.op is Op.SNAPSHOT:
            self._new[event.type, event.key] = event.entity
        elif event.op is Op.SNAPSHOT_END:
            assert event.count == len(self._new)
            kept = {key: one for key, one in self.entities.items() if key[0] != event.type}
            self.entities = kept | self._new
            self.snapshots += 1
        elif event.op is Op.DELETE:
            self.entities.pop((event.type, event.key), None)
        else:
            self.entities[event.type, event.key] = event.entity

    @property
    def states(self):
        return {key: entity.state for (_, key), entity in self.entities.items()}

    @property
    def changes(self):
        """What was told beside snapshots."""
        ops = (Op.CREATE, Op.UPDATE, Op.DELETE)
        return [(event.op.value, event.key) for event in self.events if event.op in ops]

    def until(self, what, seconds=PATIENCE):
        with self._changed:
            came = self._changed.wait_for(what, seconds)
        assert came, (self.states, self.statuses, self.events[-5:])

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
