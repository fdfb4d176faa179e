"""Mode ``pod``: members are the pods behind a label selector, and alive is who is Ready.

What the cluster says is taken as it is: a pod that is not Ready, or is being ended, is a member
that is down, never an absent one; who is not there is no member. Nobody joins or leaves here.
"""

from __future__ import annotations

import re
import threading
import zlib
from collections.abc import Callable, Collection, Mapping
from typing import Any

import msgspec

from servicegroup.driver import Sightings
from servicegroup.exceptions import ConfigurationError
from servicegroup.model import Ending, EndKind, Member, Sighting

from .client import PODS, Client
from .following import Changed, Follower
from .podinfo import Pod, decode_list, decode_pod, is_over, name_of, restarts, why_down
from .settings import GROUP, Options

_PLACE = "{group}"
_KEYED = re.compile(r"([^\s,=!()]+)\s*==?\s*\{group\}")
_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)\Z")


class PodSight:
    """What pods there are, and how they are. Usable from any thread."""

    def __init__(self, client: Client, options: Options) -> None:
        self._client = client
        self._options = options
        self._pattern = options.label_selector
        keyed = _KEYED.search(self._pattern)
        if _PLACE in self._pattern and keyed is None:
            raise ConfigurationError(
                f"[{GROUP}] label_selector={self._pattern!r}: {{group}} has to be the value of a "
                f"label, as in app={{group}}"
            )
        self._key = None if keyed is None else keyed[1]

    def selector(self, group_id: str) -> str | None:
        """Return the selector of a group's pods; ``None`` if no label can name that group."""
        if self._key is None:
            return self._pattern
        if _VALUE.match(group_id) is None:
            return None
        return self._pattern.replace(_PLACE, group_id)

    def sightings(
        self, group_id: str, member_ids: Collection[str] | None, known: Mapping[str, Member]
    ) -> Sightings:
        """See :meth:`servicegroup.driver.Driver.sightings`: one list, whatever is asked for."""
        found: dict[str, Pod] = {}
        selector = self.selector(group_id)
        if selector is not None:
            path = self._client.objects(PODS, "pods")
            for page, _ in self._client.pages(path, selector, decode_list):
                found.update({one.metadata.name: one for one in page.items})
        if not self._options.completed_pods:
            found = {name: one for name, one in found.items() if not is_over(one)}
        now = self._time()
        wanted = found.keys() if member_ids is None else [one for one in member_ids if one in found]
        members = [self._sighting(group_id, found[one], now) for one in wanted]
        asked = known.keys() if member_ids is None else [one for one in member_ids if one in known]
        for one in asked:
            if one not in found:  # this is the place where pods are: absence is evidence
                members.append(Sighting(known[one], ended=Ending(EndKind.LEFT, "left")))
        return Sightings(members)

    def groups(self) -> list[str]:
        """Return what values the label has that names groups; without one, our namespace."""
        path, names = self._client.objects(PODS, "pods"), set()
        selector = self._pattern
        if self._key is not None:
            selector = _KEYED.sub(self._key, self._pattern).replace(_PLACE, "")
        for page, _ in self._client.pages(path, selector, decode_list):
            for one in page.items:
                if self._options.completed_pods or not is_over(one):
                    group = one.metadata.labels.get(self._key or "")
                    names.add(self._options.namespace if group is None else group)
        return sorted(names)

    def _sighting(self, group_id: str, pod: Pod, now: float | None) -> Sighting:
        metadata, status = pod.metadata, pod.status
        node = pod.spec.node or ""
        attributes: dict[str, Any] = {
            "namespace": metadata.namespace,
            "node": node,
            "ip": status.ip,
            "restarts": restarts(pod),
        }
        started = status.started or metadata.created
        on_node = self._options.pod_hostname == "node" and node
        member = Member(
            group_id,
            metadata.name,
            name=name_of(pod),
            hostname=node if on_node else metadata.name,
            started_at=None if started is None else started.timestamp(),
            attributes=attributes,
            instance_id=metadata.uid,
            incarnation=1 + restarts(pod),
            # Not counted by anybody: it need only differ where the attributes do.
            revision=zlib.crc32(msgspec.json.encode(attributes)),
        )
        reason, changed = why_down(pod)
        since = None
        if now is not None and changed is not None:
            since = max(0.0, now - changed.timestamp())
        if reason is None:
            return Sighting(member, since=since)
        return Sighting(member, ended=Ending(EndKind.ENDED, reason, since))

    def _time(self) -> float | None:
        clock = self._client.clock
        low, high = clock.bounds(clock.now())
        return (low + high) / 2 if clock.known else None


class PodWatches:
    """Watches on pods, each on a thread of its own."""

    def __init__(self, client: Client, sight: PodSight, call_timeout: float, limit: float) -> None:
        self._client = client
        self._sight = sight
        self._call_timeout = call_timeout
        self._limit = limit
        self._lock = threading.Lock()
        self._followers: set[Follower] = set()

    def watch(self, group_id: str, changed: Changed) -> Callable[[], None]:
        """See :meth:`servicegroup.driver.Driver.watch`."""
        selector = self._sight.selector(group_id)
        if selector is None:
            return lambda: None  # no pod can ever be in it
        followed = FollowedPods(self._client, selector, changed)
        follower = Follower(self._client, followed, self._limit)
        with self._lock:
            self._followers.add(follower)
        follower.start()

        def stop() -> None:
            with self._lock:
                self._followers.discard(follower)
            follower.stop(self._call_timeout)

        try:
            follower.wait(2 * self._call_timeout)
        except BaseException:
            stop()
            raise
        return stop

    def stop(self) -> None:
        """End all of them."""
        with self._lock:
            followers, self._followers = self._followers, set()
        for follower in followers:
            follower.stop(self._call_timeout)


class FollowedPods:
    """The pods of one group; see :class:`.following.Followed`."""

    def __init__(self, client: Client, selector: str, changed: Changed) -> None:
        self.path = client.objects(PODS, "pods")
        self.selector = selector
        self._client = client
        self._call = changed
        self._changed: set[str] = set()

    def listed(self) -> str:
        """Learn from which version on to watch."""
        query = {"limit": "1", "labelSelector": self.selector}
        return decode_list(self._client.get(self.path, query).data).metadata.version

    def taken(self, kind: str, data: bytes) -> str:
        """Note which pod a change is about."""
        metadata = decode_pod(data).metadata
        if kind != "BOOKMARK":
            self._changed.add(metadata.name)
        return metadata.version

    def tell(self, *, anything: bool = False) -> None:
        """Call back who watches."""
        changed, self._changed = self._changed, set()
        if anything:
            self._call(None)
        elif changed:
            self._call(changed)
