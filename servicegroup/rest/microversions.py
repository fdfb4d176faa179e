"""Microversions: what a client asks for, and what the answer's headers say."""

from __future__ import annotations

import re
from typing import ClassVar, NamedTuple

import falcon

from servicegroup.rest.errors import bad_request, not_acceptable
from servicegroup.rest.families import Family

_NUMBERS = re.compile(r"([1-9]\d{0,3})\.(0|[1-9]\d{0,5})")
_COMMON = "OpenStack-API-Version"


class Version(NamedTuple):
    """A microversion; later ones are greater."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


class Versions(NamedTuple):
    """The microversions of one family, and the headers that carry them."""

    service: str
    own_header: str
    least: Version
    most: Version

    def asked(self, req: falcon.Request) -> Version:
        """Return the version that a request asks for; the least where it does not say.

        :raises falcon.HTTPError: one that we do not have, or that is none
        """
        text = self._text(req)
        if text is None:
            return self.least
        if text == "latest":
            return self.most
        match = _NUMBERS.fullmatch(text)
        if match is None:
            if self is IRONIC:
                raise not_acceptable(f"Invalid value for {self.own_header} header: {text[:80]}")
            raise bad_request(
                f"API Version String {text[:80]} is of invalid format. Must be of format "
                f"MajorNum.MinorNum."
            )
        version = Version(int(match[1]), int(match[2]))
        if not self.least <= version <= self.most:
            raise not_acceptable(
                f"Version {version} is not supported by the API. Minimum is {self.least} and "
                f"maximum is {self.most}."
            )
        return version

    def _text(self, req: falcon.Request) -> str | None:
        own = req.get_header(self.own_header)
        for entry in (req.get_header(_COMMON) or "").split(","):
            service, _, text = entry.strip().partition(" ")
            if service == self.service and text:
                return text.strip()
        return None if own is None else own.strip()


NOVA = Versions("compute", "X-OpenStack-Nova-API-Version", Version(2, 1), Version(2, 104))
IRONIC = Versions("baremetal", "X-OpenStack-Ironic-API-Version", Version(1, 1), Version(1, 49))


class Negotiation:
    """Finds the microversion of each request before its resource sees it, and answers with it."""

    _by_family: ClassVar = {Family.NOVA: NOVA, Family.IRONIC: IRONIC}

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Say which versions there are, whatever comes of the request."""
        family = req.context.family
        if family is Family.IRONIC:
            prefix = "X-OpenStack-Ironic-API"
            resp.set_header(f"{prefix}-Minimum-Version", str(IRONIC.least))
            resp.set_header(f"{prefix}-Maximum-Version", str(IRONIC.most))
            resp.append_header("Vary", IRONIC.own_header)
        elif family is Family.NOVA and not req.path.startswith("/v2/"):
            resp.append_header("Vary", f"{_COMMON}, {NOVA.own_header}")
        else:
            return
        versions = self._by_family[family]
        req.context.version = version = versions.asked(req)
        resp.set_header(versions.own_header, str(version))
        if family is Family.NOVA:
            resp.set_header(_COMMON, f"{versions.service} {version}")
