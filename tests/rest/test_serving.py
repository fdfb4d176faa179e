"""How it is served: metrics, TLS, an end that lets requests finish, and pre-forking servers."""

import contextlib
import http.client
import os
import signal
import ssl
import subprocess
import sys
import threading
from pathlib import Path
from unittest import mock

import falcon.testing
import pytest
from oslo_config import cfg
from oslo_middleware import http_proxy_to_wsgi
from program.api import Api
from servers.certificate import self_signed
from servers.ports import LOOPBACK, free_ports

from servicegroup import NotSupported, ServiceGroup, rest
from servicegroup.rest import proxies
from servicegroup.testing.memory import MemoryDriver, MemoryStore


def metric(api, line):
    text = api.get("/metrics").raw.decode()
    found = [one for one in text.splitlines() if one.startswith(line + " ")]
    return float(found[0].rpartition(" ")[2]) if found else None


def test_metrics(api, join, service_group, until):
    join("compute", "alive")
    join("compute", "dead")
    service_group.services.force_down("compute", "dead")
    for state, number in (("up", 1), ("down", 1), ("unknown", 0)):
        line = f'servicegroup_members{{group="compute",state="{state}"}}'
        until(lambda line=line, number=number: metric(api, line) == number)
    assert metric(api, "servicegroup_store_up") == 1
    assert metric(api, 'servicegroup_oldest_beat_seconds{group="compute"}') < 10
    labels = 'method="GET",path="/v1/conductors/{hostname}",status="404"'
    line = f"servicegroup_api_requests_total{{{labels}}}"
    before = metric(api, line) or 0
    for name in ("a", "b"):
        api.get(f"/v1/conductors/{name}", **{"X-OpenStack-Ironic-API-Version": "1.49"})
    assert metric(api, line) == before + 2


def test_how_late_deaths_are_seen(api, cli, service_group, until):
    where = ["--group", "compute", "--member", "killed"]
    daemon = cli.start("run", *where, "--", "sleep", "600")
    until(lambda: service_group.is_up("compute", "killed"), 30)
    line = 'servicegroup_detection_seconds_count{cause="ended",group="compute"}'
    until(lambda: metric(api, 'servicegroup_members{group="compute",state="up"}'))
    before = metric(api, line) or 0
    daemon.kill()  # of which its guardian tells
    until(lambda: metric(api, line) == before + 1)
    service_group.roster.delete("compute", "killed")


@contextlib.contextmanager
def of_memory(folder, *, report_interval):
    """A library on a store in this process, and what its application counted: ``counted(line)``."""
    file = folder / "memory.conf"
    lines = ["[servicegroup]", "driver = memory", f"report_interval = {report_interval}"]
    file.write_text("\n".join([*lines, "[servicegroup_memory]", "store = asked", ""]))
    conf = cfg.ConfigOpts()
    conf([f"--config-file={file}"], project="servicegroup", use_env=False)
    with ServiceGroup(conf) as service_group:
        client = falcon.testing.TestClient(rest.application(service_group))

        def counted(line):
            lines = client.simulate_get("/metrics").text.splitlines()
            found = [one for one in lines if one.startswith(line + " ")]
            return float(found[0].rpartition(" ")[2]) if found else 0

        yield service_group, counted


def calls(what, call):
    return f'servicegroup_store_{what}{{call="{call}",driver="memory"}}'


def beats(stored):
    return f'servicegroup_beats_total{{driver="memory",stored="{stored}"}}'


def test_what_the_store_was_asked(tmp_path, until):
    with of_memory(tmp_path, report_interval=0.05) as (service_group, counted):
        service_group.join("g", "m")
        assert counted(calls("seconds_count", "join")) == 0  # nobody had asked for metrics
        service_group.join("g", "n")
        until(lambda: counted(beats("yes")) >= 2)
        assert counted(calls("seconds_count", "join")) == 1
        assert counted(beats("no")) == counted(calls("failures_total", "heartbeat")) == 0
        MemoryStore.named("asked").unavailable = True
        until(lambda: counted(beats("no")))
        assert counted(calls("failures_total", "heartbeat"))
        MemoryStore.named("asked").unavailable = False


def test_a_beat_that_failed_is_not_counted_as_stored(tmp_path, monkeypatch):
    with of_memory(tmp_path, report_interval=10) as (service_group, counted):  # none of its own
        lines = [calls("seconds_count", "heartbeat"), calls("failures_total", "heartbeat")]
        lines += [beats("yes"), beats("no")]
        door = service_group._process.door
        assert counted(lines[0]) == 0
        door.heartbeat("life", [])
        assert [counted(line) for line in lines] == [1, 0, 1, 0]
        for error, expected in (
            (KeyError("the driver's own mistake"), [1, 1, 1, 1]),
            (NotSupported("it only reads"), [2, 1, 1, 2]),  # a refusal is an answer
        ):
            monkeypatch.setattr(MemoryDriver, "heartbeat", mock.Mock(side_effect=error))
            with pytest.raises(type(error)):
                door.heartbeat("life", [])
            assert [counted(line) for line in lines] == expected


def test_stopping_lets_a_request_finish(cli, service_group):
    api = Api(cli)
    connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=20)
    connection.putrequest("POST", "/v1/nodes")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("X-OpenStack-Ironic-API-Version", "1.49")
    body = b'{"driver": "ipmi", "name": "late"}'
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body[:5])
    assert api.get("/v2.1").status == 200  # the other one is being read by now
    api.process.send_signal(signal.SIGTERM)
    threading.Timer(0.3, lambda: connection.send(body[5:])).start()
    assert connection.getresponse().status == 201
    connection.close()
    assert api.process.wait(15) == 0
    assert service_group.inventory.node("late") is not None
    service_group.inventory.delete_node("late")


def test_tls_for_those_who_show_the_right_certificate(cli, service_group):
    folders = {name: cli.folder / f"tls-{name}" for name in ("server", "client", "stranger")}
    shown = {}
    for name, folder in folders.items():
        folder.mkdir()
        shown[name] = self_signed(folder, LOOPBACK)
    certificate, key = shown["server"]
    names = {"CERTIFICATE": certificate, "PRIVATE_KEY": key, "CLIENT_CA": shown["client"][0]}
    env = {f"OS_SERVICEGROUP_API__{name}": str(value) for name, value in names.items()}
    api = Api(cli, env=env)
    assert api.url == f"https://127.0.0.1:{api.port}"

    def ask(name=None):
        context = ssl.create_default_context(cafile=certificate)
        if name is not None:
            context.load_cert_chain(*shown[name])
        connection = http.client.HTTPSConnection(LOOPBACK, api.port, context=context, timeout=20)
        with contextlib.closing(connection):
            connection.request("GET", "/healthcheck")
            return connection.getresponse().read()

    assert ask("client") == b"OK"
    for wrong in (None, "stranger"):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            ask(wrong)
    assert ask("client") == b"OK"
    api.stop()


@pytest.mark.parametrize(
    ("believed", "prefix"),
    [(False, "http://inside:8999"), (True, "https://api.example.org/fleet")],
)
def test_links_name_the_proxy_only_where_it_is_believed(cli, service_group, believed, prefix):
    headers = {"Forwarded": "for=192.0.2.7;host=api.example.org;proto=https"}
    headers |= {"X-Forwarded-Prefix": "/fleet", "Host": "inside:8999"}
    conf = cli.conf()
    conf.register_opts(http_proxy_to_wsgi.OPTS, group="oslo_middleware")
    conf.set_override("enable_proxy_headers_parsing", believed, "oslo_middleware")
    application = rest.application(service_group, rest.api_settings(conf), conf)

    def served(environ, start_response):  # what the client takes for WSGI
        return application(environ, start_response)

    client = falcon.testing.TestClient(served)
    version = client.simulate_get("/v2.1", headers=headers)
    assert version.json["version"]["links"][0]["href"] == f"{prefix}/v2.1/"
    assert version.headers["x-openstack-request-id"].startswith("req-")
    raw = b'{"driver": "' + b"x" * 200_000 + b'"}'
    large = client.simulate_post("/v1/nodes", body=raw, headers=headers)
    assert large.status_code == 413
    assert "larger than 114688 bytes" in large.json["error_message"]


def test_an_address_that_ends_in_a_slash(service_group):
    """Such as a prefix of a proxy, with a path put behind it; not all servers refuse that."""
    client = falcon.testing.TestClient(rest.application(service_group))
    headers = {"X-OpenStack-Ironic-API-Version": "1.49", "OpenStack-API-Version": "compute 9.9"}
    for path in ("//v1/nodes", "///v1/conductors", "//v2/t/os-hypervisors", "//v1/service"):
        assert client.simulate_get(path, headers=headers).status_code == 200
    wrong = client.simulate_get("//v1/nodes/nosuch", headers=headers)
    assert (wrong.status_code, "could not be found" in wrong.json["error_message"]) == (404, True)


def test_a_middleware_is_loaded_only_where_a_proxy_is_believed(monkeypatch):
    assert http_proxy_to_wsgi.OPTS == [proxies.OPTION]  # or a daemon could not register both
    monkeypatch.setitem(sys.modules, "oslo_middleware", None)
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[], default_config_dirs=[])
    app = mock.Mock()
    assert proxies.believed(app, conf) is app
    conf.set_override("enable_proxy_headers_parsing", True, "oslo_middleware")
    with pytest.raises(ImportError):
        proxies.believed(app, conf)


@pytest.mark.parametrize("preload", [False, True])
def test_each_worker_of_gunicorn_is_a_member(cli, service_group, until, preload):
    (port,) = free_ports(1)
    group = f"api-{preload}"
    env = cli.environment | {
        "SERVICEGROUP_CONFIG_FILE": str(cli.config),
        "OS_SERVICEGROUP_API__JOIN_GROUP": group,
    }
    gunicorn = Path(sys.executable).with_name("gunicorn")
    command = [
        *(str(gunicorn), "--workers", "2", "--bind", f"127.0.0.1:{port}", "--no-control-socket"),
        *(["--preload"] if preload else []),
        "servicegroup.rest.wsgi:application",
    ]
    process = subprocess.Popen(
        command, env=env, cwd=cli.folder, stderr=subprocess.DEVNULL, start_new_session=True
    )
    cli.started.append(process)

    def ask():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            connection.request("GET", "/v1/service")
            return connection.getresponse().status == 200
        except ConnectionError:
            return False
        finally:
            connection.close()

    def workers():
        ask()
        members = service_group.get_members(group)
        return {one.process_id for one in members if one.is_up and one.process_id != process.pid}

    until(lambda: len(workers()) == 2, 60)
    for pid in workers():
        assert f"PPid:\t{process.pid}\n" in Path(f"/proc/{pid}/status").read_text()
    victim = min(workers())
    os.kill(victim, signal.SIGKILL)
    until(lambda: victim not in workers() and len(workers()) == 2, 60)
    process.terminate()
    process.wait(30)
