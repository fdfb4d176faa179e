"""Requests to the API server: each gets its answer in time, or an error that says what is wrong.

Configuration, credentials and TLS are lightkube's; the requests are plain HTTP over its transport,
because what a driver needs are the bytes of an answer and its ``Date``.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

import httpx2
import msgspec
from lightkube.config.client_adapter import user_auth, verify_cluster
from lightkube.config.kubeconfig import SingleConfig
from lightkube.core.exceptions import ConfigError

from servicegroup.exceptions import ConfigurationError

from .clock import Clock
from .leases import ListMetadata, Object
from .settings import GROUP, Options

LEASES = "apis/coordination.k8s.io/v1"
PODS = "api/v1"
NAMESPACES = "api/v1/namespaces"
#: Objects in one page of a list.
PAGE = 2000
#: Seconds that an idle connection is kept: longer than any interval.
KEPT = 300.0
#: Seconds after which connections are closed that are no longer used for anything new.
RETIRED = 300.0
#: Answers that mean "not now": too many requests, or a server in trouble.
_BUSY = (408, 429, 500, 502, 503, 504)


class Busy(OSError):
    """The API server answers, but does not serve us now."""


class Throttled(Busy):
    """It has more to do than it can, and lets us wait."""


class Conflict(Exception):
    """Somebody else changed, made or removed the object since we read it."""


class Missing(Exception):
    """There is no such object."""


class Forbidden(ConfigurationError):
    """We may not do that there; ``words``: what the API server says of it."""

    def __init__(self, message: str, words: str) -> None:
        super().__init__(message)
        self.words = words


class Expired(Exception):
    """What was asked for goes back too far: a list must begin anew."""


#: What means "the store did not answer".
CLIENT_ERRORS: tuple[type[Exception], ...] = (OSError, httpx2.HTTPError)


class Page(Protocol):
    """One page of a list."""

    @property
    def metadata(self) -> ListMetadata: ...


P = TypeVar("P", bound=Page)


class Answer(NamedTuple):
    """The bytes of an answer, and when it was asked for and came, by our clock."""

    data: bytes
    sent: float
    received: float

    def json(self) -> Object:
        """Return the object in it."""
        found: Object = json.loads(self.data)
        return found


class Lines:
    """The lines of a watch, as many at a time as came together."""

    def __init__(self, response: httpx2.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[list[bytes]]:
        rest = b""
        # Not by httpx's own lines: these also end at characters that may be in a member's texts.
        for data in self._response.iter_bytes():
            lines = (rest + data).split(b"\n")
            rest = lines.pop()
            if lines:
                yield lines

    def cancel(self) -> None:
        """End it from another thread, at once."""
        stream = self._response.extensions.get("network_stream")
        connection = None if stream is None else stream.get_extra_info("socket")
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class Client:
    """One pool of connections, to one namespace. Usable from any thread."""

    def __init__(self, options: Options, clock: Clock, call_timeout: float) -> None:
        self._options = options
        self.clock = clock
        self._timeout = call_timeout
        self._lock = threading.Lock()
        self._http: httpx2.Client | None = None
        self._admitted = False
        self._retired: list[tuple[float, httpx2.Client]] = []

    def start(self) -> None:
        """Make ready to connect. Idempotent.

        :raises ConfigurationError: a file that the configuration names cannot be used
        """
        with self._lock:
            if self._http is None:
                self._http = self._made()

    def hear(self, plural: str = "leases") -> None:
        """Learn what time it is there, and that we may ask; nothing where that is known."""
        if self.clock.known and self._admitted:
            return
        path = self.objects(PODS if plural == "pods" else LEASES, plural)
        try:
            self.get(path, {"limit": "1"})
        except Missing as error:
            raise self._stranger(f"knows no {path} ({error})") from error
        self._admitted = True

    def stop(self) -> None:
        """Close all connections. Idempotent."""
        with self._lock:
            http, self._http = self._http, None
            retired, self._retired = self._retired, []
        if http is not None:
            http.close()
        for _, one in retired:
            one.close()

    def objects(self, api: str, plural: str) -> str:
        """Return where the objects of one kind are, in our namespace."""
        return f"{api}/namespaces/{self._options.namespace}/{plural}"

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Answer:
        """Return one object, or one page of a list.

        :raises Missing: there is none
        :raises Expired: its continuation is too old
        """
        return self._asked("GET", path, query)

    def create(self, path: str, body: Object) -> Answer:
        """Store a new object.

        :raises Conflict: there is one of that name
        """
        return self._asked("POST", path, body=body)

    def replace(self, path: str, body: Object) -> Answer:
        """Store an object in place of the version that it names.

        :raises Conflict: it is another version now
        :raises Missing: it is gone
        """
        return self._asked("PUT", path, body=body)

    def delete(self, path: str, body: Object) -> None:
        """Remove an object; *body*: the options with its preconditions.

        :raises Conflict: a precondition fails
        :raises Missing: it is gone
        """
        self._asked("DELETE", path, body=body)

    def pages(
        self, path: str, selector: str, decode: Callable[[bytes], P]
    ) -> Iterator[tuple[P, Answer]]:
        """Yield the pages of a list; a list whose continuation is too old begins anew.

        Then an object may come twice: the later one is the newer one.
        """
        query = {"limit": str(PAGE), "labelSelector": selector}
        rest = ""
        while True:
            try:
                answer = self.get(path, {**query, "continue": rest} if rest else query)
            except Expired:
                rest = ""
                continue
            page = decode(answer.data)
            yield page, answer
            rest = page.metadata.rest
            if not rest:
                return

    @contextlib.contextmanager
    def watch(self, path: str, query: Mapping[str, str], silence: float) -> Iterator[Lines]:
        """Open a watch, and give its lines.

        :param silence: seconds without a word after which it counts as dead
        """
        timeout = httpx2.Timeout(self._timeout, read=silence)
        http, sent = self._open(), self.clock.now()
        with http.stream("GET", path, params=dict(query), timeout=timeout) as response:
            self.clock.heard(response.headers.get("Date"), sent, self.clock.now())
            if response.status_code != 200:
                response.read()
                self._refuse(response, "GET", path)
            yield Lines(response)

    # -- one request --------------------------------------------------------------------------

    def _asked(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
    ) -> Answer:
        content = None if body is None else msgspec.json.encode(body)
        headers = None if body is None else {"Content-Type": "application/json"}
        http, sent = self._open(), self.clock.now()
        try:
            response = http.request(method, path, params=query, content=content, headers=headers)
        except httpx2.TimeoutException as error:
            self._drop(http)
            raise httpx2.ReadTimeout(
                f"{self._options.place} did not answer within {self._timeout:g} s"
            ) from error
        except httpx2.TransportError as error:
            self._drop(http)
            raise type(error)(f"{self._options.place}: {error}") from error
        except RuntimeError as error:  # what httpx says of a client that was closed meanwhile
            raise Busy(str(error)) from error
        except ConfigError as error:
            raise ConfigurationError(f"[{GROUP}] credentials of {self._place}: {error}") from error
        received = self.clock.now()
        self.clock.heard(response.headers.get("Date"), sent, received)
        if response.status_code >= 300:
            self._refuse(response, method, path)
        kind = response.headers.get("Content-Type", "nothing")
        if not kind.startswith("application/json"):
            raise self._stranger(f"answers {method} {path} with {kind}")
        return Answer(response.content, sent, received)

    @property
    def _place(self) -> str:
        return self._options.place

    def _refuse(self, response: httpx2.Response, method: str, path: str) -> None:
        """Raise what an answer means that is no success."""
        code, words = response.status_code, _words(response)
        if code == 404 and _kind_missed(response) != "namespaces":
            raise Missing(words)
        if code == 409:
            raise Conflict(words)
        if code == 410:
            raise Expired(words)
        if code in _BUSY:
            kind = Throttled if code == 429 else Busy
            raise kind(f"{self._place} answers {code}: {words}")
        namespace = self._options.namespace
        if code == 401:
            raise ConfigurationError(
                f"[{GROUP}] {self._place} does not know us (401 Unauthorized): the token or "
                f"certificate of the kubeconfig or service account is wrong or has ended"
            )
        if code == 403:
            raise Forbidden(
                f"[{GROUP}] {self._place} forbids it: {words}; bind a Role with that verb, as in "
                f"doc/examples/kubernetes/rbac.yaml, in namespace {namespace!r}",
                words,
            )
        if code == 404:
            raise ConfigurationError(
                f"[{GROUP}] namespace={namespace!r} does not exist in {self._place}: "
                f"kubectl create namespace {namespace}"
            )
        raise self._stranger(f"refuses {method} {path} with {code}: {words}")

    def _stranger(self, what: str) -> ConfigurationError:
        """Return the error of somebody who does not speak as API servers do."""
        return ConfigurationError(
            f"[{GROUP}] {self._place} {what}; is it the API server of a Kubernetes cluster?"
        )

    # -- connections --------------------------------------------------------------------------

    def _open(self) -> httpx2.Client:
        with self._lock:
            if self._http is None:
                raise Busy("the client is stopped")
            return self._http

    def _drop(self, failed: httpx2.Client) -> None:
        """Use new connections from now on: what let one hang may hang them all.

        Those in use go on for a while.
        """
        now = self.clock.now()
        with self._lock:
            if self._http is not failed:
                return
            self._http = self._made()
            self._retired.append((now, failed))
            over = [one for one in self._retired if now - one[0] > RETIRED]
            self._retired = [one for one in self._retired if one not in over]
        for _, one in over:
            one.close()

    def _made(self) -> httpx2.Client:
        config = self._options.config
        assert config.user is not None
        try:
            tls = config.cluster.server.startswith("https:")
            verify = tls and verify_cluster(config.cluster, config.user, config.abs_file)
            auth = user_auth(config.user)
        except (ConfigError, OSError) as error:
            words = f"{missing} is not there" if (missing := _missing(config)) else str(error)
            raise ConfigurationError(
                f"[{GROUP}] the credentials for {self._place} cannot be used: {words}"
            ) from error
        return httpx2.Client(
            base_url=config.cluster.server,
            verify=verify,
            auth=auth,
            timeout=httpx2.Timeout(self._timeout),
            limits=httpx2.Limits(max_keepalive_connections=8, keepalive_expiry=KEPT),
        )


def _missing(config: SingleConfig) -> str:
    """Return the first file of those named that is not there: what TLS says of it names none."""
    user = config.user
    named = (config.cluster.certificate_auth, user and user.client_cert, user and user.client_key)
    with contextlib.suppress(ConfigError):
        paths = [Path(config.abs_file(one)) for one in named if one]
        return next((str(path) for path in paths if not path.exists()), "")
    return ""


def _words(response: httpx2.Response) -> str:
    """Return what a Status says, or the first words of whatever else came."""
    try:
        said = response.json()["message"]
    except (ValueError, KeyError, TypeError):
        said = response.text
    return " ".join(str(said).split())[:300]


def _kind_missed(response: httpx2.Response) -> object:
    """Return of what kind a Status says that it is not there; ids may be in all its words."""
    try:
        return response.json()["details"]["kind"]
    except (ValueError, KeyError, TypeError):
        return None
