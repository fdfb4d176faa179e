"""``auth_strategy = keystone``, with the tokens of a real keystone."""

import pytest
from program.api import Api
from servers.keystone import ADMIN, PASSWORD

NEW = {"OpenStack-API-Version": "compute 2.104"}
IRONIC = {"X-OpenStack-Ironic-API-Version": "1.49"}
ASKED = {
    "/v1/service": {},
    "/v1/conductors": IRONIC,
    "/v2.1/os-services": NEW,
    "/v2/t/os-hypervisors": {},
}


@pytest.fixture(scope="module")
def users(keystone):
    """Users by their role, with their passwords; ``guest`` is nobody's role here."""
    users = {"reader": "läs", "service": "guest"}
    for role, password in users.items():
        keystone.add_user(role, password, role)
    return users | {ADMIN: PASSWORD}


@pytest.fixture(scope="module")
def tokens(keystone, users):
    tokens = {user: keystone.token(user, users[user]) for user in users if user != ADMIN}
    return {user: {"X-Auth-Token": one} for user, one in (tokens | {ADMIN: keystone.admin}).items()}


@pytest.fixture(scope="module")
def guarded(cli, service_group, keystone):
    options = {
        "AUTH_TYPE": "password",
        "AUTH_URL": keystone.url,
        "WWW_AUTHENTICATE_URI": keystone.url,
        "USERNAME": ADMIN,
        "PASSWORD": PASSWORD,
        "USER_DOMAIN_ID": "default",
        "PROJECT_NAME": "admin",
        "PROJECT_DOMAIN_ID": "default",
        "HTTP_REQUEST_MAX_RETRIES": "0",  # of which each waits longer than the one before
    }
    env = {f"OS_KEYSTONE_AUTHTOKEN__{name}": value for name, value in options.items()}
    return Api(cli, env=env | {"OS_SERVICEGROUP_API__AUTH_STRATEGY": "keystone"})


def asked(api, credential, paths=tuple(ASKED)):
    """Every family asked, with what it answered."""
    return [api.get(path, **ASKED[path], **credential) for path in paths]


def test_readers_and_admins_may_look_and_nobody_else(guarded, tokens):
    for user, status in (("reader", 200), (ADMIN, 200), ("service", 403)):
        assert [one.status for one in asked(guarded, tokens[user])] == [status] * len(ASKED)


def test_only_an_admin_changes_something(guarded, tokens, join, service_group):
    join("compute", "node-1", name="nova-compute")
    uuid = service_group.services.get("compute", "node-1").uuid
    for method, path, body, headers, rule in (
        ("PUT", f"/v2.1/os-services/{uuid}", {"status": "disabled"}, NEW, "service:update"),
        ("DELETE", f"/v2.1/os-services/{uuid}", None, NEW, "service:delete"),
        ("POST", "/v1/nodes", {"driver": "ipmi"}, IRONIC, "node:create"),
        ("DELETE", "/v1/nodes/x", None, IRONIC, "node:delete"),
    ):
        answer = guarded(method, path, body, headers | tokens["reader"])
        assert answer.status == 403
        assert answer.message == f"Policy doesn't allow servicegroup:{rule} to be performed."
    assert service_group.services.get("compute", "node-1").enabled
    assert service_group.is_up("compute", "node-1")
    answer = guarded(
        "PUT", f"/v2.1/os-services/{uuid}", {"status": "disabled"}, NEW | tokens[ADMIN]
    )
    assert (answer.status, answer.body["service"]["status"]) == (200, "disabled")


def test_a_token_that_is_none_or_no_more(guarded, keystone):
    revoked = keystone.token(ADMIN, PASSWORD)
    keystone.revoke(revoked)
    expired = keystone.expired_token()
    forged = {"X-Identity-Status": "Confirmed", "X-Roles": "admin", "X-User-Id": "u"}
    for token in (None, "", "x", "gAAAAA" + "B" * 180, "é", "x" * 5000, revoked, expired):
        credential = {} if token is None else {"X-Auth-Token": token.encode()}
        paths = tuple(ASKED) if token in (None, expired) else ("/v1/service",)  # keystone is slow
        for answer in asked(guarded, credential | forged, paths):
            assert answer.status == 401, token
            assert keystone.url in answer.headers["WWW-Authenticate"]
            assert answer.message == "The request you have made requires authentication."
    assert guarded.get("/v2.1").status == 200


def test_while_keystone_is_away_nobody_knows_who_asks(guarded, keystone, users):
    token = {"X-Auth-Token": keystone.token("reader", users["reader"])}
    keystone.kill()
    for answer in asked(guarded, token):
        assert answer.status == 503
        assert answer.message == "keystone does not answer: nobody can tell who asks"
