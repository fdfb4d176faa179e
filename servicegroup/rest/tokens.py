"""``keystone``: tokens, which keystonemiddleware takes to the identity service."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import falcon
from oslo_config import cfg

from servicegroup.exceptions import ConfigurationError
from servicegroup.rest.access import Caller

#: In a request's environment: its token could not be looked at.
_AWAY = "servicegroup.keystone_away"


class Tokens:
    """What keystonemiddleware, which stands before us, found out about the token."""

    challenge = None  # keystonemiddleware's own, which says where tokens are to be had

    def caller(self, req: falcon.Request) -> Caller | None:
        """Return the user of a token that is valid.

        :raises falcon.HTTPServiceUnavailable: the identity service did not answer
        """
        if req.env.get(_AWAY):
            raise falcon.HTTPServiceUnavailable(
                description="keystone does not answer: nobody can tell who asks", retry_after=5
            )
        if req.env.get("HTTP_X_IDENTITY_STATUS") != "Confirmed":
            return None
        roles = (req.get_header("X-Roles") or "").split(",")
        named = tuple(role.strip().lower() for role in roles if role.strip())
        return Caller(req.get_header("X-User-Id") or "", named)


def with_keystone(
    app: Callable[..., Iterable[bytes]], conf: cfg.ConfigOpts | None
) -> Callable[..., Iterable[bytes]]:
    """Let keystonemiddleware look at the tokens ahead of *app*; whether one is needed, we say.

    :raises ConfigurationError: no *conf*, or the library is not installed
    """
    if conf is None:
        raise ConfigurationError(
            "auth_strategy=keystone needs the options of [keystone_authtoken]: pass conf"
        )
    try:
        import webob.exc
        from keystoneauth1 import exceptions as asking
        from keystonemiddleware import auth_token, exceptions
    except ImportError as error:
        raise ConfigurationError(
            f"auth_strategy=keystone needs a library that is not installed ({error}): "
            f"pip install 'servicegroup[keystone]'"
        ) from error

    unanswered = (
        asking.ConnectFailure,
        asking.DiscoveryFailure,
        asking.EndpointNotFound,
        asking.RequestTimeout,
        exceptions.KeystoneMiddlewareException,
    )

    class Away(Exception):
        pass

    class Protocol(auth_token.AuthProtocol):  # type: ignore[misc]
        """Tells a token that is wrong from one that nobody could look at, which it does not."""

        def fetch_token(self, token: str, **options: Any) -> Any:
            try:
                return super().fetch_token(token, **options)
            except (webob.exc.HTTPServiceUnavailable, asking.EndpointNotFound) as error:
                raise Away from error
            except exceptions.KeystoneMiddlewareException as error:  # "invalid", whatever it was
                if isinstance(error.__context__, unanswered):
                    raise Away from error
                raise

        def process_request(self, request: Any) -> Any:
            try:
                return super().process_request(request)
            except Away:  # by now without the headers that only we may set
                request.environ[_AWAY] = True
                return None

    options = {"oslo_config_config": conf, "delay_auth_decision": True}
    protocol: Callable[..., Iterable[bytes]] = Protocol(app, options)
    return protocol
