"""``servicegroup api`` as a user starts it, and plain HTTP to it."""

import http.client
import json
import signal
from typing import NamedTuple
from urllib.parse import urlsplit

from program.contract import check
from servers.ports import free_ports

HEADERS = {"Accept": "application/json"}


class Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    raw: bytes

    @property
    def body(self):
        return json.loads(self.raw)

    @property
    def message(self):
        """The words of an error, in whichever family's form."""
        body = self.body
        if "error_message" in body:
            return json.loads(body["error_message"])["faultstring"]
        if "description" in body:
            return body["description"]
        (fault,) = body.values()
        return fault["message"]


class Api:
    """A server process and requests to it, each over a connection of its own."""

    def __init__(self, cli, *arguments, env=None, port=None):
        self.port = port or free_ports(1)[0]
        self.process = cli.start("api", "--port", str(self.port), *arguments, env=env)
        line = self.process.stdout.readline()
        assert line.startswith("listening at "), self.process.communicate(timeout=10)
        self.url = line.split()[-1]

    def __call__(self, method, path, body=None, headers=None, **options):
        url = urlsplit(self.url)
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=30)
        raw = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        kind = {"Content-Type": "application/json"} if raw is not None else {}
        try:
            connection.request(method, path, raw, HEADERS | kind | (headers or {}), **options)
            response = connection.getresponse()
            answer = Answer(response.status, response.headers, response.read())
            check(method, path, answer)
            return answer
        finally:
            connection.close()

    def get(self, path, **headers):
        return self("GET", path, headers=headers)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(15) == 0, self.process.stderr.read()
