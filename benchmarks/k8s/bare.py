"""The standard library by hand, on the same Leases: HTTP, and json of what comes."""

from __future__ import annotations

import http.client
import json
import urllib.parse
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import rivals
from benchmarks.places import member, member_id
from servicegroup.drivers.k8s import layout, leases
from servicegroup.drivers.k8s.client import LEASES, PAGE
from servicegroup.drivers.k8s.layout import Stored

PLACE = f"/{LEASES}/namespaces/default/leases"


class BareKubernetes(rivals.Bare):
    """One connection that stays."""

    def __init__(self, kubeconfig: str) -> None:
        config = json.loads(Path(kubeconfig).read_text())
        url = urllib.parse.urlsplit(config["clusters"][0]["cluster"]["server"])
        token = config["users"][0]["user"]["token"]
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._http = http.client.HTTPConnection(str(url.hostname), url.port)
        self._joined: list[str] = []
        self._beats: dict[str, Any] = {}
        self._body = layout.packed(Stored(member(0, "0" * 36), 0.0), 1.7e9)

    def close(self) -> None:
        self._http.close()

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Send one request, and decode its answer."""
        content = None if body is None else json.dumps(body)
        self._http.request(method, path, content, self._headers)
        answer = self._http.getresponse()
        data = answer.read()
        if answer.status >= 300:
            raise http.client.HTTPException(data.decode())
        return json.loads(data)

    def lines(self, path: str) -> Iterator[bytes]:
        """Send one request, and give its answer line by line as it comes."""
        self._http.request("GET", path, headers=self._headers)
        return iter(self._http.getresponse())

    def listed(self, selector: str) -> list[Any]:
        """List in pages as large as ours."""
        found, rest = [], ""
        while True:
            query = {"limit": str(PAGE), "labelSelector": selector}
            if rest:
                query["continue"] = rest
            page = self.ask("GET", f"{PLACE}?{urllib.parse.urlencode(query)}")
            found += page["items"]
            rest = page["metadata"].get("continue", "")
            if not rest:
                return found

    def objects(self, group: str) -> Any:
        """Get all members, and all signs of life."""
        label = layout.group_label(group)
        here = self.listed(layout.selected(layout.HERE, group=label))
        return here, self.listed(layout.selected(layout.BEAT))

    verdicts = objects
    load = objects
    again = objects

    def one(self, group: str, member: str) -> Any:
        found = self.ask("GET", f"{PLACE}/{layout.member_name(group, member)}")
        instance = found["spec"]["holderIdentity"]
        return self.ask("GET", f"{PLACE}/{layout.beat_name(instance)}")

    def beat(self, instance: str) -> bool:
        """Replace a Lease by what the last answer told of it."""
        path = f"{PLACE}/bare-{instance}"
        before = self._beats.get(instance)
        if before is None:
            metadata = {"name": f"bare-{instance}"}
            before = self.ask("POST", PLACE, {"metadata": metadata, "spec": {}})
        before["spec"]["renewTime"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        self._beats[instance] = self.ask("PUT", path, before)
        return True

    def join(self, name: str) -> None:
        """Store one Lease like those of members."""
        body = {**self._body, "metadata": {**self._body["metadata"], "name": f"bare-{name}"}}
        body["metadata"]["labels"] = {leases.KIND: "bare"}
        self.ask("POST", PLACE, body)
        self._joined.append(f"bare-{name}")

    def leave(self) -> None:
        while self._joined:
            self.ask("DELETE", f"{PLACE}/{self._joined.pop()}")

    def join_many(self, count: int) -> Callable[[str], None]:  # noqa: ARG002
        return self.join

    def join_all(self, group: str, size: int) -> None:  # noqa: ARG002
        for number in range(size):
            self.join(member_id(number))

    def leave_all(self) -> None:
        self.leave()
