"""Every answer of the server is held against the OpenAPI document."""

import functools
import json
import re

import jsonschema

from servicegroup.rest.app import ROUTES
from servicegroup.rest.openapi import document


@functools.cache
def contract():
    return document(ROUTES)


@functools.cache
def _patterns():
    paths = sorted(contract()["paths"], key=lambda path: path.count("{"))
    return [(re.compile(re.sub(r"{\w+}", "[^/]+", path)), path) for path in paths]


@functools.cache
def _validator(pointer):
    path, method, status, kind = json.loads(pointer)
    response = contract()["paths"][path][method]["responses"][status]
    schema = response["content"][kind]["schema"]
    return jsonschema.Draft202012Validator({**schema, "components": contract()["components"]})


def check(method, path, answer):
    """Fail where a status is not documented, or a body is another than documented."""
    path = path.partition("?")[0].rstrip("/") or "/"
    head, method = method == "HEAD", method.replace("HEAD", "GET")
    template = next((one for pattern, one in _patterns() if pattern.fullmatch(path)), None)
    if template is None or method.lower() not in contract()["paths"][template]:
        assert answer.status in (404, 405), (method, path, answer)
        return
    responses = contract()["paths"][template][method.lower()]["responses"]
    assert str(answer.status) in responses, (method, path, answer)
    response = responses[str(answer.status)]
    if head or "content" not in response:
        assert answer.raw == b""
        return
    (kind,) = response["content"]
    assert answer.headers["Content-Type"].startswith(kind), answer.headers
    if kind == "application/json":
        pointer = json.dumps([template, method.lower(), str(answer.status), kind])
        _validator(pointer).validate(answer.body)
