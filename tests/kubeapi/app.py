"""The server: requests over HTTP, each checked, carried out and answered as the real one does."""

import asyncio
import base64
import bisect
import contextlib
import email.utils
import itertools
import json
import time
from typing import Any

from aiohttp import web

from kubeapi import kinds, selectors
from kubeapi.access import Access, Attributes, User
from kubeapi.answers import answer
from kubeapi.asked import Asked, parsed
from kubeapi.collector import Collector
from kubeapi.faults import Faults, abort
from kubeapi.kinds import ACCOUNT, POD
from kubeapi.objects import Objects
from kubeapi.selectors import Selector
from kubeapi.status import StatusError, bad_request, gone, success
from kubeapi.store import Item, Store
from kubeapi.watching import Watch, Watches

#: In seconds: of a watch that names no end.
WATCH_SECONDS = 1800.0
#: In bytes: of a request.
LARGEST = 3 * 1024 * 1024
VERSION = {"major": "1", "minor": "32", "gitVersion": "v1.32.0", "platform": "linux/amd64"}


class Clock:
    """The server's wall clock, which may be stepped."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


class Api:
    """Everything together."""

    def __init__(self, store: Store, admin_token: str, bookmark_interval: float) -> None:
        self.store = store
        self.clock = Clock()
        self.objects = Objects(store, self.clock)
        self.access = Access(store, admin_token, self.clock)
        self.watches = Watches(store, bookmark_interval)
        self.collector = Collector(store, self.clock)
        self.faults = Faults()

    def application(self) -> web.Application:
        """Return what serves the API."""
        app = web.Application(client_max_size=LARGEST)
        app.router.add_route("*", "/{path:.*}", self._answer)
        return app

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._served(request)
        except StatusError as error:
            response = answer(error.body, error.code)
        except json.JSONDecodeError as error:
            body = bad_request(f"the object provided is unrecognized: {error}").body
            response = answer(body, 400)
        return self._dated(response)

    def _dated(self, response: web.StreamResponse) -> web.StreamResponse:
        response.headers["Date"] = email.utils.formatdate(self.clock(), usegmt=True)
        return response

    async def _served(self, request: web.Request) -> web.StreamResponse:
        path = request.path.strip("/")
        if path in {"version", "healthz", "livez", "readyz"}:
            known = answer(VERSION) if path == "version" else web.Response(text="ok")
            return self._dated(known)
        first = path.split("/")[0]
        if first not in {"api", "apis"}:
            raise StatusError(404, "NotFound", "the server could not find the requested resource")
        found = self._discovery(path)
        verb, asked = "get", None
        if found is None and path.split("/")[:4] != ["apis", *kinds.REVIEW]:
            asked = parsed(request)
            verb = asked.verb
        self.faults.requests.append((verb, request.path_qs))
        fault = self.faults.next(verb, request.path_qs)
        if fault is not None:
            refusal = await self.faults.before(fault, request)
            if refusal is not None:
                return self._dated(refusal)
        user = self.access.user(request.headers.get("Authorization"))
        if found is not None:
            return self._dated(answer(found))
        if asked is None:
            return self._dated(self._review(user, await _body(request)))
        self.access.check(user, asked.attributes, asked.kind)
        if asked.verb == "watch":
            return await self._watch(request, asked)
        body = await _body(request)
        response = self._carried_out(request, asked, body)
        if fault is not None and fault.kind == "lost":
            abort(request)
        return self._dated(response)

    def _discovery(self, path: str) -> dict[str, object] | None:
        if path == "api":
            return {"kind": "APIVersions", "apiVersion": "v1", "versions": ["v1"]}
        if path == "apis":
            return kinds.groups()
        parts = path.split("/")
        if parts == ["api", "v1"]:
            return kinds.discovery("", "v1")
        if parts[0] == "apis" and len(parts) == 3:
            return kinds.discovery(parts[1], parts[2])
        return None

    def _carried_out(self, request: web.Request, asked: Asked, body: Any) -> web.Response:
        kind, key = asked.kind, (asked.namespace, asked.name)
        if asked.sub == "token":
            return self._token(asked, body)
        if asked.verb == "list":
            return self._list(asked)
        if asked.verb == "get":
            return _shown(self.objects.get(kind, key))
        if asked.verb == "create":
            item = self.objects.create(kind, asked.namespace, body, asked.query)
            return _shown(item, 201)
        if asked.verb == "update":
            item, created = self.objects.replace(kind, key, asked.sub, body, asked.query)
            return _shown(item, 201 if created else 200)
        if asked.verb == "patch":
            changed = self.objects.patch(
                kind, key, asked.sub, asked.query, content_type=request.content_type, body=body
            )
            return _shown(changed)
        if asked.verb == "delete":
            obj, is_gone = self.objects.delete(kind, key, _options(asked, body))
            if not is_gone:
                return answer(obj)
            uid = obj["metadata"]["uid"]
            details = {"name": asked.name, "group": kind.group, "kind": kind.plural, "uid": uid}
            return answer(success(details))
        deleted = []
        selected = self._selector(asked)
        for item in list(self.store.all(kind)):
            if asked.namespace in ("", item.key[0]) and selected(item.obj):
                deleted.append(self.objects.delete(kind, item.key, _options(asked, body))[0])
        return answer(_list_of(asked, self.store.version, deleted))

    def _selector(self, asked: Asked) -> Selector:
        fields = selectors.POD_FIELDS if asked.kind is POD else selectors.FIELDS
        by_labels = selectors.by_labels(asked.query.get("labelSelector", ""))
        by_fields = selectors.by_fields(asked.query.get("fieldSelector", ""), fields)
        return lambda item: by_labels(item) and by_fields(item)

    def _list(self, asked: Asked) -> web.Response:
        query = asked.query
        limit = _number(query, "limit") or 0
        version, start, token = self.store.version, "", query.get("continue")
        selecting = bool(query.get("labelSelector") or query.get("fieldSelector"))
        given = _version(query)
        if token:
            version, start = _continued(token)
        elif given == 0:
            limit = 0  # from the cache, which knows no pages
        elif given is not None and query.get("resourceVersionMatch") == "Exact":
            version = given
        elif given is not None and given > version:
            raise StatusError(504, "Timeout", f"Too large resource version: {given}")
        try:
            items = self.store.at(asked.kind, version)
        except StatusError as error:
            if error.code != 410 or not token:
                raise
            fresh = _token(self.store.version, start)
            raise gone(error.body["message"], {"continue": fresh}) from error
        selected = self._selector(asked)
        begin = 0 if not start else bisect.bisect_right(items, start, key=_place)
        fits: list[Item] = []
        for item in itertools.islice(items, begin, None):
            if asked.namespace in ("", item.key[0]) and selected(item.obj):
                fits.append(item)
                if limit and selecting and len(fits) > limit:
                    break  # that there are more is all that is told
        page = fits[:limit] if limit else fits
        metadata: dict[str, Any] = {"resourceVersion": str(version)}
        if len(fits) > len(page):
            metadata["continue"] = _token(version, _place(page[-1]))
            if not selecting:
                metadata["remainingItemCount"] = len(fits) - len(page)
        head = {"kind": f"{asked.kind.name}List", "apiVersion": asked.kind.api_version}
        opened = json.dumps({**head, "metadata": metadata})[:-1].encode()
        data = b'%b,"items":[%b]}\n' % (opened, b",".join(item.data for item in page))
        return web.Response(body=data, content_type="application/json")

    async def _watch(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        query = asked.query
        if query.get("sendInitialEvents"):
            raise StatusError(422, "Invalid", "sendInitialEvents: Forbidden: WatchList is not on")
        watch = Watch(asked.kind, asked.namespace, self._selector(asked), self.watches.flows)
        seconds = _number(query, "timeoutSeconds")
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            return await self.watches.serve(
                request,
                watch,
                asked.kind,
                _version(query) or None,
                bookmarks=query.get("allowWatchBookmarks", "") in {"1", "true", "True"},
                seconds=WATCH_SECONDS if seconds is None else seconds,
            )
        return web.Response()  # to nobody

    def _token(self, asked: Asked, body: Any) -> web.Response:
        if asked.kind is not ACCOUNT:
            raise StatusError(404, "NotFound", "the server could not find the requested resource")
        self.objects.get(ACCOUNT, (asked.namespace, asked.name))
        seconds = ((body or {}).get("spec") or {}).get("expirationSeconds") or 3600
        token = self.access.account_token(asked.namespace, asked.name, seconds)
        status = {"token": token, "expirationTimestamp": self.objects.now()}
        head = {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "metadata": {}}
        return answer({**head, "status": status}, 201)

    def _review(self, user: User, body: Any) -> web.Response:
        asked = ((body or {}).get("spec") or {}).get("resourceAttributes") or {}
        wanted = ("verb", "group", "resource", "namespace", "name")
        allowed = self.access.allows(user, Attributes(*(asked.get(one, "") for one in wanted)))
        return answer({**body, "status": {"allowed": allowed}}, 201)


async def _body(request: web.Request) -> Any:
    data = await request.read()
    if request.content_type.startswith("application/vnd.kubernetes"):
        message = "the body of the request was in an unknown format: only JSON is served"
        raise StatusError(415, "UnsupportedMediaType", message)
    return json.loads(data) if data else None


def _place(item: Item) -> str:
    """Return by what pages are in order."""
    return "\0".join(item.key)


def _options(asked: Asked, body: Any) -> Any:
    grace = _number(asked.query, "gracePeriodSeconds")
    options = body if isinstance(body, dict) else {}
    return options if grace is None else {**options, "gracePeriodSeconds": grace}


def _shown(item: Item, status: int = 200) -> web.Response:
    return web.Response(body=item.data, status=status, content_type="application/json")


def _list_of(asked: Asked, version: int, items: list[dict[str, Any]]) -> dict[str, Any]:
    head = {"kind": f"{asked.kind.name}List", "apiVersion": asked.kind.api_version}
    return {**head, "metadata": {"resourceVersion": str(version)}, "items": items}


def _number(query: dict[str, str], name: str) -> int | None:
    text = query.get(name)
    if not text:
        return None
    if not text.isdigit():
        raise bad_request(f'{name}: Invalid value: "{text}": must be a number')
    return int(text)


def _version(query: dict[str, str]) -> int | None:
    text = query.get("resourceVersion")
    if not text:
        return None
    if not text.isdigit():
        raise bad_request(f'resourceVersion: Invalid value: "{text}"')
    return int(text)


def _token(version: int, start: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([version, start]).encode()).decode()


def _continued(token: str) -> tuple[int, str]:
    try:
        version, start = json.loads(base64.urlsafe_b64decode(token))
    except ValueError as error:
        raise bad_request("continue key is not valid") from error
    return version, start
