"""The zookeeper driver on a real server: the whole contract."""

import uuid

import pytest
from kazoo.client import KazooClient

from servicegroup.testing import DriverConformance, Store

#: Seconds; far below the limit of the suite, so that a session that is gone is soon seen so.
SESSION, LONG = 1.0, 20.0


@pytest.fixture(scope="module")
def admin(zookeeper):
    """Yield a bare client, which no code of ours can fool."""
    client = KazooClient(zookeeper.address)
    client.start()
    yield client
    client.stop()
    client.close()


class TestZooKeeper(DriverConformance):
    walks = 12
    shrink = False  # within the time that one test may take

    @pytest.fixture
    def store(self, zookeeper, admin, request):
        root = f"/test-{uuid.uuid4()}"
        # The walk waits for no session to end: there a stall of the machine must not end one.
        session = LONG if request.node.originalname == "test_a_random_walk" else SESSION
        options = {"hosts": zookeeper.address, "root": root, "session_timeout": session}

        def lose():
            if admin.exists(root):
                admin.delete(root, recursive=True)

        with Store("zookeeper", {"servicegroup_zookeeper": options}, lose=lose) as store:
            yield store
        lose()
