"""The ``files`` driver: members of one host in a folder of JSON files, guarded by a file lock."""

import contextlib
import fcntl
import hashlib
import json
import pathlib
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from oslo_config import cfg

from servicegroup.driver import Capability, Driver, Loss, Lost, Sightings
from servicegroup.model import Ending, EndKind, Member, Sighting

Files = dict[pathlib.Path, dict[str, Any]]


class FilesDriver(Driver):
    """A file a group, a file an instance; ages by the host's clock, which nobody can set."""

    capabilities = Capability.REMEMBERS
    options_group = "servicegroup_files"
    options = (
        cfg.StrOpt("folder", default="/run/servicegroup", help="Folder on a local file system."),
    )

    @property
    def _folder(self) -> pathlib.Path:
        return pathlib.Path(self.context.conf[self.options_group].folder)

    def start(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)

    def join(self, members: Sequence[Member]) -> list[Member]:
        joined = []
        with self._writing() as files:
            for member in members:
                last = self._place(files, member)
                incarnation = last["member"]["incarnation"] + 1 if last else 1
                before = Member.remade(last["member"]) if last and not last["left_at"] else None
                joined.append(member.joined(incarnation, time.time(), before))
                self._put(files, joined[-1])
        return joined

    def update(self, members: Sequence[Member]) -> list[Lost]:
        lost = []
        with self._writing() as files:
            for member in members:
                place = self._place(files, member)
                over = _evidence(place, member)
                if over is not None:
                    lost.append(over)
                elif not (_holds(place, member) and _revision(place) > member.revision):
                    self._put(files, member)
        return lost

    def heartbeat(self, instance_id: str, members: Sequence[Member]) -> list[Lost]:
        with self._writing() as files:
            self._beat(files, instance_id)
            return [
                _evidence(place, member) or Lost(member, Loss.MISSING)
                for member, place in ((one, self._place(files, one)) for one in members)
                if not _holds(place, member)
            ]

    def leave(self, members: Sequence[Member]) -> None:
        with self._writing() as files:
            for member in members:
                place = self._place(files, member)
                if _holds(place, member):
                    place["left_at"] = _now()

    def end(self, instance_id: str, reason: str) -> None:
        with self._writing() as files:
            beat = self._file(files, f"instance-{instance_id}")
            if beat:
                beat.setdefault("ended", [_now(), reason])

    def sightings(
        self,
        group_id: str,
        member_ids: Collection[str] | None = None,
        *,
        known: Mapping[str, Member] | None = None,
        attributes: bool = True,
    ) -> Sightings:
        asked = set(known or ()) if member_ids is None else set(member_ids)
        with self._locked(fcntl.LOCK_SH):
            files: Files = {}
            now = _now()
            places = self._file(files, _group_file(group_id)).get("places", {})
            seen = [
                self._sighting(files, place, now)
                for member_id, place in places.items()
                if member_id in asked or (member_ids is None and not place["left_at"])
            ]
            return Sightings(seen, self._witnessed(files, now), now)

    def groups(self) -> list[str]:
        with self._locked(fcntl.LOCK_SH):
            groups = [self._file({}, path.stem) for path in self._folder.glob("group-*.json")]
        return sorted(
            group["group_id"]
            for group in groups
            if any(not place["left_at"] for place in group["places"].values())
        )

    # -- one locked call ----------------------------------------------------------------------

    @contextlib.contextmanager
    def _locked(self, kind: int) -> Iterator[None]:
        """Hold the lock; a holder that was stopped must not stop us (the contract's time rule)."""
        give_up = time.monotonic() + self.context.settings.call_timeout
        with (self._folder / "lock").open("a") as lock:
            while True:
                try:
                    fcntl.flock(lock, kind | fcntl.LOCK_NB)
                    break
                except BlockingIOError as error:
                    if time.monotonic() > give_up:
                        raise TimeoutError("somebody holds the lock for too long") from error
                    time.sleep(0.002)
            yield

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Files]:
        with self._locked(fcntl.LOCK_EX):
            files: Files = {}
            yield files
            for path, content in files.items():
                if content:
                    fresh = path.with_suffix(".new")
                    fresh.write_text(json.dumps(content))
                    fresh.replace(path)

    def _file(self, files: Files, stem: str) -> dict[str, Any]:
        path = self._folder / f"{stem}.json"
        if path not in files:
            files[path] = json.loads(path.read_text()) if path.exists() else {}
        return files[path]

    def _place(self, files: Files, member: Member) -> dict[str, Any]:
        places = self._file(files, _group_file(member.group_id)).get("places", {})
        return places.get(member.member_id) or {}

    def _put(self, files: Files, member: Member) -> None:
        self._beat(files, member.instance_id)
        group = self._file(files, _group_file(member.group_id))
        group["group_id"] = member.group_id
        places = group.setdefault("places", {})
        places[member.member_id] = {"member": member._asdict(), "left_at": None}

    def _beat(self, files: Files, instance_id: str) -> None:
        beat, now = self._file(files, f"instance-{instance_id}"), _now()
        if not 0 <= now - beat.get("at", float("inf")) <= self.context.settings.steady_gap:
            beat["steady_since"] = now
        beat["at"] = now
        beat.pop("ended", None)

    def _sighting(self, files: Files, place: dict[str, Any], now: float) -> Sighting:
        member = Member.remade(place["member"])
        if place["left_at"]:
            return Sighting(member, ended=Ending(EndKind.LEFT, "left", now - place["left_at"]))
        beat = self._file(files, f"instance-{member.instance_id}")
        ended = None
        if "ended" in beat:
            at, reason = beat["ended"]
            ended = Ending(EndKind.ENDED, reason, now - at)
        elif member.withdrawn is not None:
            ended = Ending(EndKind.WITHDRAWN, member.withdrawn)
        return Sighting(member, max(0.0, now - beat["at"]), ended)

    def _witnessed(self, files: Files, now: float) -> bool:
        limit, gap = self.context.settings.service_down_time, self.context.settings.steady_gap
        beats = [self._file(files, path.stem) for path in self._folder.glob("instance-*.json")]
        return any(
            "ended" not in beat and now - beat["at"] <= gap and now - beat["steady_since"] >= limit
            for beat in beats
        )


def _now() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _group_file(group_id: str) -> str:
    return "group-" + hashlib.sha256(group_id.encode()).hexdigest()


def _holds(place: dict[str, Any], member: Member) -> bool:
    return (
        bool(place)
        and not place["left_at"]
        and _life(place) == (member.instance_id, member.incarnation)
    )


def _life(place: dict[str, Any]) -> tuple[str, int]:
    return (place["member"]["instance_id"], place["member"]["incarnation"])


def _revision(place: dict[str, Any]) -> int:
    revision: int = place["member"]["revision"]
    return revision


def _evidence(place: dict[str, Any], member: Member) -> Lost | None:
    if not place or _holds(place, member) or _life(place)[1] < member.incarnation:
        return None
    if _life(place) == (member.instance_id, member.incarnation):
        return Lost(member, Loss.REMOVED)
    return Lost(member, Loss.SUPERSEDED, Member.remade(place["member"]))
