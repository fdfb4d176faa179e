"""Who may ask what: no credential, a wrong one, a reader who writes, and who may listen where."""

import base64
import os
import socket
import subprocess
import sys
from pathlib import Path

import bcrypt
import pytest
from oslo_config import cfg
from oslo_policy import opts
from program.api import Api

from servicegroup.cli.main import main
from servicegroup.rest import access
from servicegroup.rest.access import Caller
from servicegroup.rest.app import ROUTES

ASKED = {
    "vitrage": ("GET", "/v1/service", {}),
    "ironic": ("GET", "/v1/conductors", {"X-OpenStack-Ironic-API-Version": "1.49"}),
    "nova": ("GET", "/v2.1/os-services", {}),
    "hypervisors": ("GET", "/v2/t/os-hypervisors", {}),
}
NEW = {"OpenStack-API-Version": "compute 2.104"}


def basic(user, password):
    return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}


ADMIN, READER = basic("admin", "adm:in"), basic("reader", "läs")


def entry(user, password):
    return f"{user}:{bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()}\n"


@pytest.fixture(scope="module")
def htpasswd(cli):
    path = cli.folder / "htpasswd"
    path.write_text(entry("admin", "adm:in") + "# a comment\n\n" + entry("reader", "läs"))
    return path


@pytest.fixture(scope="module")
def guarded(cli, service_group, htpasswd):
    return Api(
        cli,
        env={
            "OS_SERVICEGROUP_API__AUTH_STRATEGY": "http_basic",
            "OS_SERVICEGROUP_API__HTPASSWD_FILE": str(htpasswd),
        },
    )


@pytest.mark.parametrize("family", ASKED)
@pytest.mark.parametrize(
    "credential",
    [
        {},
        basic("reader", "wrong"),
        basic("nobody", "läs"),
        basic("reader", ""),
        basic("reader", "x" * 100),
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic"},
        {"Authorization": "Bearer abc"},
        {"X-Roles": "admin", "X-Identity-Status": "Confirmed", "X-User-Id": "u"},
    ],
)
def test_without_a_right_credential_nothing_is_shown(guarded, family, credential):
    method, path, headers = ASKED[family]
    answer = guarded(method, path, headers=headers | credential)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    assert answer.message == "The request you have made requires authentication."


@pytest.mark.parametrize("family", ASKED)
def test_readers_and_admins_may_look(guarded, family):
    method, path, headers = ASKED[family]
    for credential in (READER, ADMIN, READER):
        assert guarded(method, path, headers=headers | credential).status == 200
    for credential, status in ((READER, 200), ({}, 401)):
        assert guarded("HEAD", path, headers=headers | credential).status == status


def test_what_everybody_may_see(guarded):
    for path in ("/", "/v1", "/v2.1", "/healthcheck"):
        assert guarded.get(path).status == 200


def test_a_reader_changes_nothing(guarded, join, service_group):
    join("compute", "node-1", name="nova-compute")
    uuid = service_group.services.get("compute", "node-1").uuid
    for method, path, body, rule in (
        ("PUT", f"/v2.1/os-services/{uuid}", {"status": "disabled"}, "service:update"),
        ("DELETE", f"/v2.1/os-services/{uuid}", None, "service:delete"),
        ("POST", "/v1/nodes", {"driver": "ipmi"}, "node:create"),
        ("DELETE", "/v1/nodes/x", None, "node:delete"),
    ):
        answer = guarded(method, path, body, READER | (NEW if "v2.1" in path else {}))
        assert answer.status == 403
        assert answer.message == f"Policy doesn't allow servicegroup:{rule} to be performed."
    assert service_group.services.get("compute", "node-1").enabled
    assert service_group.is_up("compute", "node-1")
    answer = guarded("PUT", f"/v2.1/os-services/{uuid}", {"status": "disabled"}, ADMIN | NEW)
    assert answer.status == 200


def test_a_policy_file_changes_the_rules(cli, htpasswd, until):
    policy = cli.folder / "policy.yaml"
    policy.write_text('"servicegroup:service:list": "user_id:reader"\n')
    api = Api(
        cli,
        env={
            "OS_SERVICEGROUP_API__AUTH_STRATEGY": "http_basic",
            "OS_SERVICEGROUP_API__HTPASSWD_FILE": str(htpasswd),
            "OS_OSLO_POLICY__POLICY_FILE": str(policy),
        },
    )
    assert api("GET", "/v1/service", headers=READER).status == 200
    assert api("GET", "/v1/service", headers=ADMIN).status == 403
    policy.write_text('"servicegroup:service:list": "user_id:reader or role:admin"\n')
    until(lambda: api("GET", "/v1/service", headers=ADMIN).status == 200)
    htpasswd.write_text(htpasswd.read_text().replace("reader:", "other:"))
    assert api("GET", "/v1/service", headers=READER).status == 401  # read again
    htpasswd.write_text(htpasswd.read_text().replace("other:", "reader:"))
    api.stop()


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ('"servicegroup:service:list": "role:admin', "found unexpected end of stream"),
        ("- servicegroup:service:list", "cannot be used"),
        ('"servicegroup:service:list": "rule:nobody"', "servicegroup:service:list"),
    ],
)
def test_a_policy_that_is_none(cli, tmp_path, monkeypatch, capsys, rules, words):
    policy = tmp_path / "policy.yaml"
    policy.write_text(rules)
    monkeypatch.setenv("OS_OSLO_POLICY__POLICY_FILE", str(policy))
    assert main(["--config-file", str(cli.config), "api"]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert f"[oslo_policy] policy_file={policy} cannot be used: " in said
    assert words in said


def test_a_policy_that_is_spoiled_meanwhile_stays_as_it_was(tmp_path, monkeypatch, caplog):
    policy, reader = tmp_path / "policy.yaml", Caller("reader", ("reader",))
    policy.write_text('"servicegroup:service:list": "role:admin"\n"servicegroup:sevice:x": "!"\n')
    conf = cfg.ConfigOpts()
    conf([], project="servicegroup", default_config_files=[], default_config_dirs=[])
    opts.set_defaults(conf, str(policy))
    monkeypatch.setattr(access, "DECIDED_FOR", 0.0)
    decide = access.Access(access.Everybody(), conf)._may
    assert "there is no rule servicegroup:sevice:x" in caplog.text
    assert not decide("service:list", reader)
    for number, rules in enumerate(('"servicegroup:', "- x", '"servicegroup:service:list": "@"')):
        policy.write_text(rules)
        os.utime(policy, (4e9 + number, 4e9 + number))
        assert decide("service:list", reader) is (number == 2)
    assert caplog.text.count("the rules stay as they were: [oslo_policy] policy_file=") == 2


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"HOST": "0.0.0.0"}, "host=0.0.0.0 can be reached by other machines"),
        ({"HOST": "::"}, "host=:: can be reached by other machines"),
        ({"AUTH_STRATEGY": "http_basic"}, "needs [servicegroup_api] htpasswd_file"),
        ({"AUTH_STRATEGY": "trust"}, "OS_SERVICEGROUP_API__AUTH_STRATEGY"),
        (
            {"AUTH_STRATEGY": "http_basic", "HTPASSWD_FILE": "/nowhere"},
            "htpasswd_file=/nowhere is no file that can be read",
        ),
        (
            {"AUTH_STRATEGY": "http_basic", "HTPASSWD_FILE": __file__},
            "only bcrypt hashes are taken; make it with htpasswd -B",
        ),
        ({"CERTIFICATE": __file__}, "certificate and private_key go together"),
        (
            {"CERTIFICATE": __file__, "PRIVATE_KEY": __file__},
            "cannot be used for TLS",
        ),
        ({"PORT": "70000"}, "OS_SERVICEGROUP_API__PORT"),
    ],
)
def test_settings_that_would_let_in_the_wrong_ones_or_nobody(
    cli, monkeypatch, capsys, settings, words
):
    for name, value in settings.items():
        monkeypatch.setenv(f"OS_SERVICEGROUP_API__{name}", value)
    assert main(["--config-file", str(cli.config), "api"]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert len(said.splitlines()) == 1, said


def test_a_port_that_is_taken(cli):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = cli("api", "--port", port)
    assert done.returncode == 2
    assert "cannot listen there" in done.stderr


def test_the_sample_of_the_policy_names_every_rule(tmp_path):
    sample = tmp_path / "policy.yaml"
    program = Path(sys.executable).with_name("oslopolicy-sample-generator")
    subprocess.run(
        [program, "--namespace", "servicegroup", "--output-file", sample], check=True, timeout=60
    )
    text = sample.read_text()
    used = {rule for kind in ROUTES.values() for rule in kind.policy.values() if rule}
    for rule in used:
        assert f'"servicegroup:{rule}": "rule:' in text
    assert '"admin_required": "role:admin"' in text
    assert len(used) == text.count('"servicegroup:')
