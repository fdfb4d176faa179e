"""Asking ``statusjson.cgi``, and whether to believe what it says.

It answers "Success" for much that is not one: with nothing where Nagios is stopped, with what was
where Nagios was killed, with an empty list to a user without permission.
"""

from __future__ import annotations

from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import msgspec
import requests
from requests.auth import AuthBase, HTTPBasicAuth, HTTPDigestAuth

from ...plugin import Incomplete

T = TypeVar("T")

#: Milliseconds are what it speaks.
MILLI = 1000.0


class _Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What counts of a host or service. What changes with each check in any case does not."""

    status: int
    plugin_output: str = ""
    long_plugin_output: str = ""
    state_type: int = 1
    last_state_change: int = 0
    problem_has_been_acknowledged: bool = False
    scheduled_downtime_depth: int = 0
    is_flapping: bool = False
    notifications_enabled: bool = True
    checks_enabled: bool = True


class Host(_Checked, frozen=True):
    """One host."""

    name: str


class Service(_Checked, frozen=True):
    """One service of a host."""

    host_name: str
    description: str


class Result(msgspec.Struct, frozen=True):
    """How an answer came about; times in milliseconds of Nagios's own clock."""

    type_code: int
    type_text: str = ""
    message: str = ""
    query_time: int = 0
    program_start: int = 0
    last_data_update: int = 0


class _Data(msgspec.Struct, Generic[T]):
    hostlist: dict[str, T] = {}
    servicelist: dict[str, T] = {}


class _Answer(msgspec.Struct, Generic[T]):
    result: Result
    data: _Data[T] = msgspec.field(default_factory=_Data)


class Life(NamedTuple):
    """One life of Nagios, from one start or reload to the next; ``age`` in seconds."""

    program_start: int
    age: float


class Settings(NamedTuple):
    """How it is reached; ``timeout`` and ``max_age`` in seconds."""

    url: str
    user: str | None
    password: str | None
    authentication: str
    cafile: str | None
    timeout: float
    max_age: float


class StatusJson:
    """Asks questions that belong together: all answers have to come from one life of Nagios.

    Not for several threads.
    """

    _decoders: ClassVar[dict[Any, msgspec.json.Decoder[Any]]] = {}

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        url = settings.url.rstrip("/")
        self._url = url if url.endswith("statusjson.cgi") else f"{url}/statusjson.cgi"
        self._session = requests.Session()
        self._session.auth = _authentication(settings)
        if settings.cafile:
            self._session.verify = settings.cafile
        self.life: Life | None = None

    def begin(self) -> None:
        """Begin with questions of which all answers have to fit."""
        self.life = None

    def hosts(self, of: type[T], **arguments: Any) -> dict[str, T]:
        """Return {host: what is said of it}."""
        return self._ask("hostlist", of, arguments).data.hostlist

    def services(self, of: type[T], **arguments: Any) -> dict[str, T]:
        """Return {host: what is said of its services}."""
        return self._ask("servicelist", of, arguments).data.servicelist

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _ask(self, query: str, of: Any, arguments: dict[str, Any]) -> _Answer[Any]:
        body = self._get({"query": query, **arguments})
        if not body.strip():
            raise Incomplete(f"{self._url} says nothing at all: Nagios is not running there")
        decoder = self._decoders.get(of)
        if decoder is None:
            decoder = self._decoders[of] = msgspec.json.Decoder(_Answer[of])
        try:
            answer: _Answer[Any] = decoder.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise Incomplete(
                f"{self._url} answers what is not the JSON of Nagios ({error}), beginning with "
                f"{body[:60]!r}; is [synchronizer_nagios] url right?"
            ) from error
        self._believe(answer.result)
        return answer

    def _get(self, arguments: dict[str, Any]) -> bytes:
        try:
            answer = self._session.get(self._url, params=arguments, timeout=self._settings.timeout)
        except requests.RequestException as error:
            raise Incomplete(f"{self._url} cannot be asked: {error}") from error
        if answer.status_code in (401, 403):
            raise Incomplete(
                f"{self._url} refuses user {self._settings.user!r} ({answer.status_code}): set "
                f"[synchronizer_nagios] user, password and authentication to what its web server "
                f"asks for ({answer.headers.get('WWW-Authenticate', 'it does not say')})"
            )
        if answer.status_code != 200:
            raise Incomplete(f"{self._url} answers {answer.status_code} {answer.reason}")
        return answer.content

    def _believe(self, result: Result) -> None:
        """Check that an answer is current, and of the same life as those before.

        :raises Incomplete: it is not
        """
        if result.type_code:
            raise Incomplete(f"Nagios answers {result.type_text!r}: {result.message}")
        silent = (result.query_time - result.last_data_update) / MILLI
        if silent > self._settings.max_age:
            raise Incomplete(
                f"Nagios wrote down nothing new for {silent:.0f} s, more than max_age="
                f"{self._settings.max_age:g}: it was killed, or hangs"
            )
        life = Life(result.program_start, (result.query_time - result.program_start) / MILLI)
        if self.life is not None and self.life.program_start != life.program_start:
            raise Incomplete("Nagios was started or reloaded while it was asked")
        self.life = life


def _authentication(settings: Settings) -> AuthBase | None:
    if settings.user is None:
        return None
    user, password = settings.user, settings.password or ""
    if settings.authentication == "digest":
        return HTTPDigestAuth(user, password)
    # As bytes: requests would make Latin-1 of text, here but not above.
    return HTTPBasicAuth(user.encode(), password.encode())
