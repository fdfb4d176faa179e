"""A servicegroup driver for one host: all members in one JSON file, every call under its lock."""

import contextlib
import fcntl
import json
import pathlib
import time

from oslo_config import cfg

from servicegroup.driver import Capability, Driver, Loss, Lost, Sightings
from servicegroup.exceptions import ConfigurationError
from servicegroup.model import Ending, EndKind, Member, Sighting

BOOT = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()


class JsonFileDriver(Driver):
    capabilities = Capability.REMEMBERS
    options_group = "servicegroup_jsonfile"
    options = (cfg.StrOpt("path", help="The file that members are kept in."),)

    # The client

    def start(self):
        path = self.context.conf.servicegroup_jsonfile.path
        if not path:
            raise ConfigurationError("[servicegroup_jsonfile] path is not set; name a file")
        self._path = pathlib.Path(path)

    @contextlib.contextmanager
    def _opened(self, *, write=True):
        """One request: the whole contents, and the time by a clock that nobody can set."""
        with pathlib.Path(f"{self._path}.lock").open("a") as lock:
            self._wait_for(lock)
            text = self._path.read_text() if self._path.exists() else "{}"
            data = json.loads(text)
            places = {tuple(place["key"]): place for place in data.get("places", [])}
            pulses = data["pulses"] if data.get("boot") == BOOT else {}
            yield places, pulses, time.clock_gettime(time.CLOCK_BOOTTIME)
            if write:  # as a whole, or not at all
                data = {"boot": BOOT, "places": list(places.values()), "pulses": pulses}
                new = pathlib.Path(f"{self._path}.new")
                new.write_text(json.dumps(data))
                new.replace(self._path)

    def _wait_for(self, lock):
        until = time.monotonic() + self.context.settings.call_timeout
        while True:
            try:
                return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:  # a TimeoutError is an OSError: see client_errors
                    raise TimeoutError(f"{self._path} is locked by somebody else") from None
                time.sleep(0.002)

    # Writing

    def join(self, members):
        with self._opened() as (places, pulses, now):
            joined = []
            for member in members:
                place = places.get(key(member))
                last = place["member"]["incarnation"] if place else 0
                stays = place is not None and place["left_at"] is None
                before = Member.remade(place["member"]) if stays else None
                joined.append(member.joined(last + 1, time.time(), before))
                keep(joined[-1], places, now)
                self._beat(member.instance_id, pulses, now)
            return joined

    def update(self, members):
        lost = []
        with self._opened() as (places, pulses, now):
            for member in members:
                place = places.get(key(member))
                evidence = loss(place, member)
                if evidence is not None:
                    lost.append(evidence)
                    continue
                if not holds(place, member) or place["member"]["revision"] <= member.revision:
                    keep(member, places, now)
                self._beat(member.instance_id, pulses, now)
        return lost

    def heartbeat(self, instance_id, members):
        with self._opened() as (places, pulses, now):
            self._beat(instance_id, pulses, now)
            troubled = [one for one in members if not holds(places.get(key(one)), one)]
            return [loss(places.get(key(one)), one) or Lost(one, Loss.MISSING) for one in troubled]

    def leave(self, members):
        with self._opened() as (places, _, now):
            for member in members:
                place = places.get(key(member))
                if holds(place, member):
                    place["left_at"] = now

    def end(self, instance_id, reason):
        with self._opened() as (_, pulses, now):
            pulse = pulses.get(instance_id)
            if pulse is not None and pulse["ended_at"] is None:
                pulse.update(ended_at=now, reason=reason)

    def _beat(self, instance_id, pulses, now):
        pulse, gap = pulses.get(instance_id), self.context.settings.steady_gap
        steady = pulse and pulse["ended_at"] is None and 0 <= now - pulse["beat_at"] <= gap
        steady_since = pulse["steady_since"] if steady else now
        pulses[instance_id] = {"beat_at": now, "steady_since": steady_since, "ended_at": None}

    # Reading

    def sightings(self, group_id, member_ids=None, *, known=None, **_):
        with self._opened(write=False) as (places, pulses, now):
            pass
        asked = set(known or ()) if member_ids is None else set(member_ids)
        seen = [
            sighting(place, pulses, now)
            for (group, member_id), place in places.items()
            if group == group_id
            and (member_id in asked or (member_ids is None and place["left_at"] is None))
        ]
        settings = self.context.settings
        witnessed = any(
            pulse["ended_at"] is None
            and now - pulse["beat_at"] <= settings.steady_gap
            and now - pulse["steady_since"] >= settings.service_down_time
            for pulse in pulses.values()
        )
        return Sightings(seen, witnessed, now)

    def groups(self):
        with self._opened(write=False) as (places, _, _):
            return sorted({group for (group, _), p in places.items() if p["left_at"] is None})


def key(member):
    return (member.group_id, member.member_id)


def keep(member, places, now):
    before = places.get(key(member))
    was_well = holds(before, member) and before["member"]["withdrawn"] is None
    places[key(member)] = {
        "key": key(member),
        "member": member._asdict(),
        "up_since": before["up_since"] if was_well else now,
        "withdrawn_at": None if member.withdrawn is None else now,
        "left_at": None,
    }


def holds(place, member):
    """Whether this very life is a member now."""
    return place is not None and place["left_at"] is None and same_life(place, member)


def same_life(place, member):
    stored = place["member"]
    return (stored["instance_id"], stored["incarnation"]) == (
        member.instance_id,
        member.incarnation,
    )


def loss(place, member):
    """The evidence that this life is over; None where there is none."""
    if place is None or holds(place, member):
        return None
    if place["member"]["incarnation"] < member.incarnation:
        return None
    if same_life(place, member):
        return Lost(member, Loss.REMOVED)
    return Lost(member, Loss.SUPERSEDED, Member.remade(place["member"]))


def sighting(place, pulses, now):
    member = Member.remade(place["member"])
    if place["left_at"] is not None:
        return Sighting(member, ended=Ending(EndKind.LEFT, "left", now - place["left_at"]))
    pulse, ended = pulses.get(member.instance_id), None
    if pulse is None:
        return Sighting(member, ended=Ending(EndKind.ENDED, "its host was restarted"))
    if pulse["ended_at"] is not None:
        ended = Ending(EndKind.ENDED, pulse["reason"], now - pulse["ended_at"])
    elif member.withdrawn is not None:
        ended = Ending(EndKind.WITHDRAWN, member.withdrawn, now - place["withdrawn_at"])
    since = now - max(place["up_since"], pulse["steady_since"])
    return Sighting(member, max(0.0, now - pulse["beat_at"]), ended, since)
