"""A daemon that forks its workers, as oslo.service, cotyledon and gunicorn do it: one member."""

import os
import signal

import pytest

from servicegroup import State

SERVICE = ("conductor", "host-1")
#: The guardian tells of a death, so nothing depends on how fast the machine is.
PATIENT = {"report_interval": 10.0, "service_down_time": 60.0}

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


@pytest.fixture
def spawn(url, make, tmp_path, monkeypatch):
    """Fork a worker that joins with the ServiceGroup it inherited; returns its process id."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    inherited = {}
    living = []

    def spawn(**options):
        if not inherited:  # made before the first fork, as a daemon's parent does it
            inherited["group"] = make(url, **options)
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                member = inherited["group"].join(*SERVICE, worker=True).member
                os.write(writing, member.member_id.encode())
                os.close(writing)
                while True:
                    signal.pause()
            finally:
                os._exit(1)
        os.close(writing)
        with os.fdopen(reading, "rb") as told:
            living.append(pid)
            return pid, told.read().decode()

    def kill(pid):
        living.remove(pid)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)

    spawn.kill = kill
    yield spawn
    while living:
        kill(living[0])


def test_the_service_is_up_while_any_worker_lives(url, make, spawn, eventually):
    looking = make(url, **PATIENT)
    workers = dict(spawn(guardian=True, **PATIENT) for _ in range(4))
    assert sorted(workers.values()) == [
        "host-1",
        "host-1#worker-1",
        "host-1#worker-2",
        "host-1#worker-3",
    ]
    pids = sorted(workers, key=lambda pid: workers[pid])

    def counted(words):
        # It is up in every look on the way there.
        assert looking.is_up(*SERVICE)
        assert looking.states("conductor") == {"host-1": State.UP}
        return looking.liveness(*SERVICE).reason.endswith(words)

    assert counted("(4 of 4 workers up)")
    assert [service.member_id for service in looking.services.list("conductor")] == ["host-1"]
    spawn.kill(pids[0])
    assert eventually(lambda: counted("(3 of 4 workers up)"))
    pid, member_id = spawn()
    assert member_id == "host-1"  # the dead one's number, and its place
    assert eventually(lambda: counted("(4 of 4 workers up)"))
    for one in (pid, *pids[1:]):
        spawn.kill(one)
    assert eventually(lambda: looking.states("conductor") == {"host-1": State.DOWN})
    assert looking.liveness(*SERVICE).reason.endswith("(0 of 4 workers up)")


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_a_hung_worker_neither_takes_the_service_down_nor_is_hidden(url, make, spawn, eventually):
    looking = make(url)
    (hung, _), _ = spawn(), spawn()
    os.kill(hung, signal.SIGSTOP)
    assert eventually(lambda: looking.liveness(*SERVICE).reason.endswith("(1 of 2 workers up)"))
    assert looking.is_up(*SERVICE)
    os.kill(hung, signal.SIGCONT)
    assert eventually(lambda: looking.liveness(*SERVICE).reason.endswith("(2 of 2 workers up)"))
