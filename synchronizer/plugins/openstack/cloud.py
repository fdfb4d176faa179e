"""Asking the services of a cloud, page by page; openstacksdk knows where and in whose name."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeVar
from urllib.parse import parse_qsl, urlsplit

import msgspec

from ...plugin import Incomplete

R = TypeVar("R")

#: The names of the services in openstacksdk, and as people call them.
NAMES = {
    "compute": "nova",
    "block_storage": "cinder",
    "network": "neutron",
    "orchestration": "heat",
    "baremetal": "ironic",
}


class Question(NamedTuple):
    """What to ask a service for: ``kind`` is the name of the list in its answer."""

    service: str
    path: str
    kind: str
    version: str | None = None
    arguments: Mapping[str, Any] = {}
    paged: bool = True


class Cloud:
    """One cloud, with the permissions of one user. Not for several threads."""

    def __init__(self, option: Mapping[str, Any]) -> None:
        self._option = option
        self._connection: Any = None

    def ask(self, question: Question, of: type[R], **arguments: Any) -> Iterator[list[R]]:
        """Yield the pages of an answer.

        :raises Incomplete: the service is not there, refuses, or does not end
        """
        decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
        rows = msgspec.json.Decoder(list[of])  # type: ignore[valid-type]
        asked = {**question.arguments, **arguments}
        if question.paged:
            asked.setdefault("limit", self._option["page_size"])
        followed: set[str] = set()
        while True:
            body = self._get(question, asked)
            try:
                answer = decoder.decode(body)
                page: list[R] = rows.decode(answer[question.kind])
                following = _next(answer, question.kind)
            except (msgspec.MsgspecError, KeyError) as error:
                raise Incomplete(
                    f"{NAMES[question.service]} answers {question.path} with something else than "
                    f"a list of {question.kind}: {error}"
                ) from error
            yield page
            if question.service == "orchestration" and page and question.paged:
                # Heat gives no link to what follows.
                following = f"?marker={getattr(page[-1], 'id', '')}"
            if not following:
                return
            if following in followed:
                raise Incomplete(f"the pages of {NAMES[question.service]} go in a circle")
            followed.add(following)
            # Only what it says, not where: behind a proxy that is often wrong.
            asked |= dict(parse_qsl(urlsplit(following).query, keep_blank_values=True))

    def close(self) -> None:
        """Close the connections."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _get(self, question: Question, arguments: Mapping[str, Any]) -> bytes:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what it imports, about themselves
            import keystoneauth1.exceptions
            import openstack.exceptions

        service = NAMES[question.service]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of openstacksdk about itself
                if self._connection is None:
                    self._connection = self._connect()
                answer = getattr(self._connection, question.service).get(
                    question.path,
                    params=arguments,
                    microversion=question.version,
                    timeout=self._option["timeout"],
                )
        except (
            openstack.exceptions.SDKException,
            keystoneauth1.exceptions.ClientException,
        ) as error:
            raise Incomplete(f"{service} cannot be asked for {question.path}: {error}") from error
        if answer.status_code != 200:
            raise Incomplete(
                f"{service} cannot be asked for {question.path}: it answers {answer.status_code} "
                f"{answer.reason}: {answer.text[:300]}"
            )
        body: bytes = answer.content
        return body

    def _connect(self) -> Any:
        import openstack.config
        import openstack.connection

        option = self._option
        given = {"region_name": option["region"], "cacert": option["cafile"]}
        if option["auth_url"]:
            given["auth_type"] = "password"
            given["auth"] = {
                "auth_url": option["auth_url"],
                "username": option["user"],
                "password": option["password"],
                "project_name": option["project"],
                "user_domain_name": option["user_domain"],
                "project_domain_name": option["project_domain"],
            }
        config = openstack.config.OpenStackConfig(
            config_files=[option["clouds_file"]] if option["clouds_file"] else None,
            load_yaml_config=not option["auth_url"],
            load_envvars=not option["auth_url"],
            app_name="servicegroup",
        )
        region = config.get_one(
            cloud=option["cloud"], **{name: value for name, value in given.items() if value}
        )
        return openstack.connection.Connection(config=region)


def _next(answer: Mapping[str, msgspec.Raw], kind: str) -> str:
    """Return the link to the page that follows, as the services give it, each in its own way."""
    if "next" in answer:
        return msgspec.json.decode(answer["next"], type=str | None) or ""
    links = answer.get(f"{kind}_links")
    if links is None:
        return ""
    found = msgspec.json.decode(links, type=list[dict[str, str]])
    return next((one["href"] for one in found if one.get("rel") == "next"), "")
