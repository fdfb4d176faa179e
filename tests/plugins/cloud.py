"""A small cloud: keystone's catalogue and the lists of four services, as their APIs answer."""

import http.server
import json
import threading
from urllib.parse import parse_qsl, urlencode, urlsplit

from plugins.payloads import PROJECT

USER, PASSWORD, TOKEN = "reader", "s3cret", "the-token"
#: {the path of a list: (its name, where its service is in the catalogue)}.
LISTS = {
    "/compute/v2.1/servers/detail": "servers",
    "/compute/v2.1/os-services": "services",
    "/compute/v2.1/os-availability-zone/detail": "availabilityZoneInfo",
    f"/volume/v3/{PROJECT}/volumes/detail": "volumes",
    "/network/v2.0/networks": "networks",
    "/network/v2.0/ports": "ports",
    f"/heat/v1/{PROJECT}/stacks": "stacks",
}
CATALOGUE = {
    "compute": "/compute/v2.1",
    "block-storage": f"/volume/v3/{PROJECT}",
    "network": "/network",
    "orchestration": f"/heat/v1/{PROJECT}",
}
VERSIONS = {
    "/compute/v2.1": {"id": "v2.1", "version": "2.96", "min_version": "2.1"},
    "/volume/v3": {"id": "v3.0", "version": "3.71", "min_version": "3.0"},
    "/network/v2.0": {"id": "v2.0"},
    "/heat/v1": {"id": "v1.0"},
    "/identity/v3": {"id": "v3.14"},
}


class Cloud:
    """Serves ``has``, lists by their names; notes every question in ``asked``.

    ``broken``: {list: (status, body)}. ``most``: how many a page may hold at most. ``baremetal``:
    where a real ironic is.
    """

    def __init__(self, baremetal=None):
        self.has = {name: [] for name in LISTS.values()}
        self.asked = []
        self.broken = {}
        self.most = 1000
        self.circle = False
        self.baremetal = baremetal
        cloud = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self.answer(*cloud.get(self.path, self.headers))

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.answer(*cloud.token(body), **{"X-Subject-Token": TOKEN})

            def answer(self, status, body, **headers):
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    @property
    def options(self):
        """What the plugin is told of it."""
        return {
            "auth_url": f"{self.url}/identity/v3",
            "user": USER,
            "password": PASSWORD,
            "project": "admin",
        }

    def token(self, body):
        password = body["auth"]["identity"]["password"]["user"]
        if (password["name"], password["password"]) != (USER, PASSWORD):
            return 401, {"error": {"code": 401, "title": "Unauthorized", "message": "not you"}}
        where = {kind: f"{self.url}{path}" for kind, path in CATALOGUE.items()}
        if self.baremetal:
            where["baremetal"] = self.baremetal
        catalogue = [
            {
                "type": kind,
                "name": kind,
                "id": kind,
                "endpoints": [
                    {"id": kind, "interface": "public", "region": "one", "region_id": "one"}
                    | {"url": url}
                ],
            }
            for kind, url in where.items()
        ]
        token = {"methods": ["password"], "expires_at": "2099-01-01T00:00:00.000000Z"}
        token |= {"project": {"id": PROJECT, "name": "admin", "domain": {"id": "default"}}}
        token |= {"user": {"id": "u", "name": USER, "domain": {"id": "default"}}}
        return 201, {"token": token | {"catalog": catalogue, "roles": [], "issued_at": ""}}

    def get(self, path, headers):
        parts = urlsplit(path)
        name = LISTS.get(parts.path)
        if name is None:
            return self.version(parts.path)
        if headers["X-Auth-Token"] != TOKEN:
            return 401, {}
        query = dict(parse_qsl(parts.query))
        version = headers["OpenStack-API-Version"]
        self.asked.append((name, query, version))
        if name in self.broken:
            return self.broken[name]
        return 200, self.page(parts.path, name, query)

    def page(self, path, name, query):
        rows = self.has[name]
        if since := query.get("changes-since") or query.get("changed_since"):
            rows = [row for row in rows if row.get("updated", row.get("updated_at")) >= since]
        elif since := query.get("updated_at"):
            rows = [row for row in rows if row["updated_at"] >= since.removeprefix("gte:")]
        elif name == "servers":
            rows = [row for row in rows if row["status"] != "DELETED"]
        if "limit" not in query:
            return {name: rows}
        if not self.circle and (marker := query.get("marker")):
            rows = rows[[row["id"] for row in rows].index(marker) + 1 :]
        count = min(int(query["limit"]), self.most)
        page, more = rows[:count], rows[count:]
        answer = {name: page}
        if (more or self.circle) and name != "stacks":
            marker = "again" if self.circle else page[-1]["id"]
            following = urlencode(query | {"marker": marker})
            # As behind a proxy that nobody told the service of.
            href = f"https://internal.example.org{path}?{following}"
            answer[f"{name}_links"] = [{"rel": "next", "href": href}]
        return answer

    def version(self, path):
        path = path.rstrip("/")
        for where, version in VERSIONS.items():
            link = {"rel": "self", "href": f"{self.url}{where}/"}
            values = version | {"status": "CURRENT", "links": [link]}
            if path == where:
                return 200, {"version": values}
            if path == where.rpartition("/")[0]:
                many = {"values": [values]} if path == "/identity" else [values]
                return 300 if path == "/identity" else 200, {"versions": many}
        return 404, {}

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
