"""Private keystones, from the package index and in an environment of their own."""

import contextlib
import functools
import http.client
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from servers.account import ServerError
from servers.process import Server
from servers.requirement import MissingError

#: Made by ``make .venv-services/.made``.
PYTHON = Path(__file__).parents[2] / ".venv-services" / "bin" / "python"
PROGRAM = Path(__file__).with_name("keystone_program.py")
#: Seconds for one request.
PATIENCE = 15.0
NOTHING: Mapping[str, str] = MappingProxyType({})
ADMIN, PASSWORD = "admin", "a secret of the tests"

_SETTINGS = """
[DEFAULT]
use_stderr = true
[cache]
enabled = false
[credential]
key_repository = {folder}/credentials
[database]
connection = sqlite:///{folder}/keystone.sqlite
[fernet_receipts]
key_repository = {folder}/keys
[fernet_tokens]
key_repository = {folder}/keys
[identity]
password_hash_rounds = 4
[oslo_messaging_notifications]
driver = noop
"""


class _Answer(NamedTuple):
    status: int
    token: str
    body: bytes


class Keystone(Server):
    """One keystone with fernet tokens on SQLite, a project ``admin`` and a user of that name."""

    name = "keystone"
    ready_within = 60.0

    @classmethod
    def find(cls) -> None:
        if not PYTHON.with_name("keystone-manage").exists():
            raise MissingError("keystone", "make .venv-services/.made")

    @property
    def url(self) -> str:
        """Where its API is."""
        return f"http://{self.address}/v3"

    def prepare(self) -> None:
        (self.folder / "keys").mkdir(mode=0o700)
        (self.folder / "keystone.conf").write_text(_SETTINGS.format(folder=self.folder))

    def command(self) -> list[str]:
        settings = str(self.folder / "keystone.conf")
        return [str(PYTHON), "-P", "-W", "ignore", str(PROGRAM), settings, str(self.port)]

    def environment(self) -> dict[str, str]:
        return super().environment() | {"OS_BOOTSTRAP_PASSWORD": PASSWORD}

    def ready(self) -> bool:
        return self._request("GET", "/v3").status == HTTPStatus.OK

    @functools.cached_property
    def admin(self) -> str:
        """A token of the admin."""
        return self.token(ADMIN, PASSWORD)

    def add_user(self, name: str, password: str, role: str) -> None:
        """Make a user with one role in the project."""
        admin = self.admin
        user = {"name": name, "password": password, "domain_id": "default"}
        ident = self._ask("POST", "/v3/users", admin, {"user": user})["user"]["id"]
        roles = self._ask("GET", f"/v3/roles?name={role}", admin)["roles"]
        projects = self._ask("GET", "/v3/projects?name=admin", admin)["projects"]
        grant = f"/v3/projects/{projects[0]['id']}/users/{ident}/roles/{roles[0]['id']}"
        self._ask("PUT", grant, admin)

    def token(self, name: str, password: str) -> str:
        """Return a new token of a user, for the project."""
        domain = {"id": "default"}
        user = {"name": name, "password": password, "domain": domain}
        identity = {"methods": ["password"], "password": {"user": user}}
        scope = {"project": {"name": "admin", "domain": domain}}
        return self._issued({"identity": identity, "scope": scope}).token

    def expired_token(self) -> str:
        """Return a token of the admin that was good for a moment, and is no more."""
        admin = self.admin
        user = self._ask("GET", "/v3/auth/tokens", admin, None, admin)["token"]["user"]["id"]
        path = f"/v3/users/{user}/application_credentials"
        for seconds in (0.5, 2, 8):  # the last for machines that are slow
            with contextlib.suppress(ValueError):
                ends = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()[:26]
                brief = {"name": ends, "secret": "s", "expires_at": f"{ends}Z"}
                made = self._ask("POST", path, admin, {"application_credential": brief})
                ident = made["application_credential"]["id"]
                how = {"application_credential": {"id": ident, "secret": "s"}}
                token = self._issued({"identity": {"methods": list(how), **how}}).token
                about = {"X-Auth-Token": admin, "X-Subject-Token": token}
                while self._request("HEAD", "/v3/auth/tokens", None, about).status == HTTPStatus.OK:
                    time.sleep(0.05)
                return token
        raise ServerError("no token could be had within 8 s of its end")

    def revoke(self, token: str) -> None:
        """Take a token back."""
        self._ask("DELETE", "/v3/auth/tokens", token, None, token)

    def _issued(self, auth: Any) -> _Answer:
        return self._asked("POST", "/v3/auth/tokens", {"auth": auth})

    def _ask(self, method: str, path: str, token: str, body: Any = None, about: str = "") -> Any:
        headers = {"X-Auth-Token": token} | ({"X-Subject-Token": about} if about else {})
        answer = self._asked(method, path, body, headers)
        return json.loads(answer.body) if answer.body else None

    def _asked(self, *how: Any) -> _Answer:
        answer = self._request(*how)
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise ValueError(f"{how[0]} {how[1]} is answered by {answer.status}: {answer.body!r}")
        return answer

    def _request(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] = NOTHING
    ) -> _Answer:
        client = http.client.HTTPConnection(self.address, timeout=PATIENCE)
        try:
            sent = None if body is None else json.dumps(body)
            client.request(method, path, sent, {**headers, "Content-Type": "application/json"})
            answer = client.getresponse()
            token = answer.getheader("X-Subject-Token", "")
            return _Answer(answer.status, token, answer.read())
        finally:
            client.close()
