"""How it is served: metrics, TLS, an end that lets requests finish, and pre-forking servers."""

import http.client
import os
import signal
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from program.api import Api
from servers.ports import free_ports


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


def test_tls(cli, service_group):
    certificate, key = cli.folder / "cert.pem", cli.folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    names = {"CERTIFICATE": certificate, "PRIVATE_KEY": key}
    env = {f"OS_SERVICEGROUP_API__{name}": str(value) for name, value in names.items()}
    api = Api(cli, env=env)
    assert api.url == f"https://127.0.0.1:{api.port}"
    context = ssl.create_default_context(cafile=certificate)
    connection = http.client.HTTPSConnection("127.0.0.1", api.port, context=context, timeout=20)
    connection.request("GET", "/healthcheck")
    assert connection.getresponse().read() == b"OK"
    connection.close()
    api.stop()


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
