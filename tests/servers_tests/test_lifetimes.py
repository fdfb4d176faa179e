"""Private servers start, die, pause and come back with their ports and data."""

import socket
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

import psutil
import pytest
from servers import ports, tree
from servers.account import ServerError
from servers.fixtures import requirements
from servers.home import Home
from servers.postgresql import PostgreSQL
from servers.process import Server
from servers.requirement import find_program
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool


class Listener(Server):
    """The smallest server: Python listening on a port, with words to say in its log."""

    name = "listener"
    code = "print('about to listen', flush=True); import socket, sys, time; " + (
        "s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); time.sleep(60)"
    )

    @classmethod
    def find(cls):
        find_program("python3", "python3")

    def command(self):
        return [sys.executable, "-c", self.code, str(self.port)]

    def ready(self):
        socket.create_connection((self.host, self.port), 1).close()
        return True


@pytest.fixture(params=["postgresql_server", "mariadb_server"])
def server(request):
    return request.getfixturevalue(request.param)()


def run(url, *statements):
    engine = create_engine(url, poolclass=NullPool, connect_args={"connect_timeout": 2})
    with engine.begin() as connection:
        return [connection.execute(text(statement)) for statement in statements]


def value(url, statement):
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        return connection.execute(text(statement)).scalar_one()


def test_restart_keeps_port_and_data(server):
    url = server.create_database()
    run(url, "CREATE TABLE t (id integer)", "INSERT INTO t VALUES (7)")
    address = server.address
    server.stop()
    assert not server.running
    with pytest.raises(OperationalError):
        run(url, "SELECT 1")
    assert server.start().address == address
    assert value(url, "SELECT id FROM t") == 7


def test_kill_ends_every_process_and_keeps_committed_data(server):
    url = server.create_database()
    run(url, "CREATE TABLE t (id integer)")
    engine = create_engine(url)
    with engine.connect() as connection:
        connection.execute(text("INSERT INTO t VALUES (7)"))
        connection.commit()
        tree = [psutil.Process(server.pid), *psutil.Process(server.pid).children()]
        server.kill()
        assert not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in tree)
        with pytest.raises(OperationalError):
            connection.execute(text("SELECT 1"))
    engine.dispose()
    server.start()
    assert value(url, "SELECT id FROM t") == 7


def test_a_paused_server_answers_nobody_until_resumed(server):
    engine = create_engine(server.create_database())
    with engine.connect() as connection:
        question = Thread(target=lambda: connection.execute(text("SELECT 1")))
        server.pause()
        question.start()
        question.join(0.3)
        assert question.is_alive()
        with pytest.raises(TimeoutError):
            unanswered(server)
        server.resume()
        question.join(10)
        assert not question.is_alive()
    engine.dispose()


def unanswered(server):
    """Say the first words of both protocols: an SSL request, or nothing and wait for a greeting."""
    with socket.create_connection((server.host, server.port), 1) as connection:
        connection.settimeout(0.3)
        if isinstance(server, PostgreSQL):
            connection.sendall(bytes.fromhex("0000000804d2162f"))
        connection.recv(1)


def test_stop_ends_a_paused_server(server):
    server.pause()
    server.stop()
    assert not server.running


def test_databases_are_apart_and_can_be_dropped_while_in_use(server):
    first, second = server.create_database(), server.create_database()
    run(first, "CREATE TABLE t (id integer)")
    run(second, "CREATE TABLE t (id integer)")
    engine = create_engine(first)
    with engine.connect() as connection:
        connection.execute(text("SELECT * FROM t"))
        server.drop_database(first)
        connection.invalidate()
    with pytest.raises(OperationalError):
        run(first, "SELECT 1")
    assert run(second, "SELECT * FROM t")


def test_a_taken_port_is_exchanged_at_the_first_start(monkeypatch):
    with Home() as home, socket.create_server(("127.0.0.1", 0)) as taken:
        choices = iter([[taken.getsockname()[1]], ports.free_ports(1)])
        monkeypatch.setattr("servers.process.free_ports", lambda count: next(choices))
        # Our own listener would pass for a ready server, were the process not seen to end.
        monkeypatch.setattr(Listener, "ready", listener_ready(Listener.ready))
        with Listener(home) as server:
            assert server.port != taken.getsockname()[1]
            assert "about to listen" in server.log.read()


def listener_ready(ready):
    def after_a_moment(self):
        time.sleep(0.3)
        return self.running and ready(self)

    return after_a_moment


def test_an_early_end_shows_what_the_server_said(monkeypatch):
    monkeypatch.setattr(Listener, "code", "raise SystemExit('no such luck')")
    with Home() as home, pytest.raises(ServerError, match=r"ended with 1 at its start\nno such"):
        Listener(home).start()


def test_a_server_that_never_answers_is_killed_and_shown(monkeypatch):
    monkeypatch.setattr(Listener, "ready_within", 0.3)
    monkeypatch.setattr(Listener, "ready", lambda self: False)
    with Home() as home:
        server = Listener(home)
        with pytest.raises(ServerError, match=r"did not answer on 127\.0\.0\.1:.*\nabout to"):
            server.start()
        assert not server.running


def test_a_second_start_is_refused():
    refusal = pytest.raises(ServerError, match="runs already")
    with Home() as home, Listener(home) as server, refusal:
        server.start()


def test_ports_are_low_and_never_given_twice(monkeypatch):
    given = ports.free_ports(50) + ports.free_ports(50)
    assert all(10000 < port < 32768 for port in given)
    fresh = ports.free_ports(1)[0]
    chosen = iter([*given, fresh, *range(10240, 32768)])
    monkeypatch.setattr("random.randrange", lambda low, beyond: next(chosen))
    assert not {*ports.free_ports(2)} & {*given, fresh}


RUN = """
import sys, time
sys.path.insert(0, {tests!r})
from servers import tree
from servers.fixtures import requirements
from servers.home import Home
from servers.postgresql import PostgreSQL
from servers_tests.test_lifetimes import Listener
home = Home()
servers = [{kind}(home).start() for _ in range(2)]
servers[1].pause()
pids = [process.pid for server in servers for process in tree.members(server.pid)]
print(home.path, *pids, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize(
    "kind", ["Listener", pytest.param("PostgreSQL", marks=pytest.mark.server("postgresql"))]
)
def test_a_killed_run_leaves_no_process_and_no_folder(kind):
    if kind == "PostgreSQL":
        with requirements():
            PostgreSQL.find()
    code = RUN.format(tests=str(Path(__file__).parents[1]), kind=kind)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as run:
        folder, *pids = run.stdout.readline().split()
        processes = [psutil.Process(int(pid)) for pid in pids]
        run.kill()
    tree.wait_gone(processes)
    deadline = time.monotonic() + 10
    while Path(folder).exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not Path(folder).exists()
    segments = subprocess.run(["ipcs", "-mp"], capture_output=True, text=True, check=True).stdout
    assert not {word for line in segments.splitlines() for word in line.split()[2:3]} & set(pids)
