"""The zookeeper driver on a real server: the whole contract."""

import uuid

import pytest
from kazoo.client import KazooClient

from servicegroup.testing import DriverConformance, Store

#: Seconds; far below the limit of the suite, so that a session that is gone is soon seen so.
SESSION = 1.0


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

    @pytest.fixture
    def store(self, zookeeper, admin):
        root = f"/test-{uuid.uuid4()}"
        options = {"hosts": zookeeper.address, "root": root, "session_timeout": SESSION}

        def lose():
            if admin.exists(root):
                admin.delete(root, recursive=True)

        with Store("zookeeper", {"servicegroup_zookeeper": options}, lose=lose) as store:
            yield store
        lose()
