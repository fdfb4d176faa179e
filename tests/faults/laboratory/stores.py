"""The stores of the laboratory, and what can be done to each."""

import contextlib
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import sqlalchemy as sa
from faults.laboratory.link import Link
from faults.laboratory.times import Times
from fleet.fixtures import migrated
from fleet.outage import LockOutage, Outage
from servers.database import DatabaseServer
from servers.home import Home
from servers.kubernetes import Kubernetes
from servers.mariadb import MariaDB
from servers.memcached import Memcached
from servers.postgresql import PostgreSQL
from servers.process import Server
from servers.redis import Redis
from servers.zookeeper import ZooKeeper

from servicegroup.db.tables import instances, services

Options = dict[str, dict[str, Any]]
#: Seconds for which the lock of an SQLite file is waited for.
PATIENCE = 60


class FaultyStore:
    """A store that can be away, wrong about the time, or forgetful; empty for each schedule.

    ``ways``: how it can be away. ``amnesia``: ways after which it may rightly have ended lives;
    ``forgetful``: after which it is empty. ``wills``: whether a guardian can tell it of a death.
    """

    driver: ClassVar[str] = "db"
    ways: ClassVar[tuple[str, ...]] = ()
    amnesia: ClassVar[tuple[str, ...]] = ()
    forgetful: ClassVar[tuple[str, ...]] = ()
    steps: ClassVar[bool] = False
    records: ClassVar[bool] = True
    links: ClassVar[bool] = True
    wills: ClassVar[bool] = True
    times: ClassVar[Times] = Times()

    def __init__(self) -> None:
        self._give_back: Callable[[], object] | None = None

    def empty(self, folder: Path) -> None:
        """Make a fresh place to keep members in."""
        raise NotImplementedError

    def options(self, link: Link | None) -> Options:
        """Build the options of a process, which talks over *link* or directly."""
        raise NotImplementedError

    def link(self) -> Link:
        """Make a way to the server that one process has for itself."""
        raise NotImplementedError

    def begin(self, how: str) -> None:
        """Take it away."""
        self._give_back = self._away(how)

    def end(self) -> None:
        """Give it back; no-op if it is there."""
        give_back, self._give_back = self._give_back, None
        if give_back is not None:
            give_back()

    def step(self, seconds: float) -> None:
        """Step its clock."""
        raise NotImplementedError

    def lose(self) -> None:
        """Let it forget everything, as a table cleared by hand or a restart without data."""
        raise NotImplementedError

    def _away(self, how: str) -> Callable[[], object]:
        raise NotImplementedError


class FaultyFile(FaultyStore):
    """An SQLite file. It has no server, so nothing lies between it and a process."""

    ways = ("locked by a running writer", "locked by a stopped writer")
    links = False

    def empty(self, folder: Path) -> None:
        self._path = str(folder / "servicegroup.sqlite")
        migrated(f"sqlite:///{self._path}")

    def options(self, link: Link | None) -> Options:
        return {"servicegroup_database": {"connection": f"sqlite:///{self._path}"}}

    def lose(self) -> None:
        _clear(f"sqlite:///{self._path}")

    def _away(self, how: str) -> Callable[[], object]:
        outage: Outage = LockOutage(self._path, how)
        outage.begin()
        return outage.end


class FaultyServer(FaultyStore):
    """What the stores have in common that are servers."""

    ways: ClassVar[tuple[str, ...]] = ("kill", "pause", "stop")

    def __init__(self, server: Server) -> None:
        super().__init__()
        self._server = server
        self._stepped = 0.0

    def link(self) -> Link:
        return Link(self._server.host, self._server.port)

    def step(self, seconds: float) -> None:
        self._stepped += seconds
        self._server.step_clock(seconds)

    def set_right(self) -> None:
        """Take all steps of its clock back.

        Threads that read it at the same time see the host's clock for a moment, now and then
        (libfaketime 0.9.10): the longer after many steps, the further off.
        """
        if self._stepped:
            self.step(-self._stepped)

    def _away(self, how: str) -> Callable[[], object]:
        getattr(self._server, how)()
        return self._server.resume if how == "pause" else self._server.start


class FaultyDatabase(FaultyServer):
    """A database of a PostgreSQL or MariaDB server."""

    steps = True

    def __init__(self, server: DatabaseServer) -> None:
        super().__init__(server)
        self._database = server

    def empty(self, folder: Path) -> None:
        self.set_right()
        self._url = migrated(self._database.create_database())

    def options(self, link: Link | None) -> Options:
        url = self._url
        if link is not None:
            url = url.replace(self._server.address, link.address)
        return {"servicegroup_database": {"connection": url}}

    def lose(self) -> None:
        _clear(self._url)


class FaultyZooKeeper(FaultyServer):
    """A ZooKeeper server, alone; without records beside it."""

    driver = "zookeeper"
    ways = ("kill", "pause")
    amnesia = ("pause",)  # it finds that time has passed, and ends sessions
    records = False
    times = Times(ends_after=1.2)

    def __init__(self, server: ZooKeeper) -> None:
        super().__init__(server)
        self._zookeeper = server

    def empty(self, folder: Path) -> None:
        self._root = f"/laboratory-{uuid.uuid4()}"

    def options(self, link: Link | None) -> Options:
        address = self._server.address if link is None else link.address
        session = {"hosts": address, "session_timeout": self.times.ends_after, "root": self._root}
        return {"servicegroup_zookeeper": session, "servicegroup": {"use_records": False}}

    def lose(self) -> None:
        self._zookeeper.kill()
        self._zookeeper.lose_data()
        self._zookeeper.start()


class FaultyMemcached(FaultyServer):
    """A memcached, alone; without records beside it. It counts whole seconds."""

    driver = "memcache"
    ways = ("pause", "kill")
    forgetful = ("kill",)
    records = False
    times = Times(interval=0.25, down=2.0, rounding=1.0)

    def __init__(self, server: Memcached) -> None:
        super().__init__(server)
        self._memcached = server

    def empty(self, folder: Path) -> None:
        self._namespace = f"laboratory-{uuid.uuid4()}"

    def options(self, link: Link | None) -> Options:
        address = self._server.address if link is None else link.address
        server = {"servers": [address], "namespace": self._namespace}
        return {"servicegroup_memcache": server, "servicegroup": {"use_records": False}}

    def lose(self) -> None:
        self._memcached.flush()


class FaultyKubernetes(FaultyServer):
    """An API server, alone; without records beside it. Its clock shows whole seconds."""

    driver = "k8s"
    ways: ClassVar[tuple[str, ...]] = ("kill", "pause")
    steps = True
    records = False
    times = Times(interval=0.25, down=2.0, rounding=2.0)

    def __init__(self, server: Kubernetes) -> None:
        super().__init__(server)
        self._kubernetes = server

    def empty(self, folder: Path) -> None:
        self._namespace = self._kubernetes.create_namespace(f"laboratory-{uuid.uuid4()}")

    def options(self, link: Link | None) -> Options:
        place = self._kubernetes.folder / f"config-{uuid.uuid4()}"
        self._kubernetes.kubeconfig(place, namespace=self._namespace)
        if link is not None:
            text = place.read_text().replace(self._server.address, link.address)
            place.write_text(text)
        options = {"kubeconfig": str(place)}
        return {"servicegroup_k8s": options, "servicegroup": {"use_records": False}}

    def step(self, seconds: float) -> None:
        self._kubernetes.tell("step_clock", seconds=seconds)

    def lose(self) -> None:
        self._kubernetes.tell("lose", namespace=self._namespace)


class FaultyRedis(FaultyServer):
    """A Redis that tooz keeps its groups in; without records beside it."""

    driver = "tooz"
    ways = ("pause", "kill")
    amnesia = ("pause",)  # its own time goes on
    forgetful = ("kill",)
    records = False
    wills = False
    times = Times(interval=0.25, down=2.0, ends_after=3.0, forgets=True)

    def __init__(self, server: Redis) -> None:
        super().__init__(server)
        self._redis = server

    def empty(self, folder: Path) -> None:
        self._redis.flush()

    def options(self, link: Link | None) -> Options:
        address = self._server.address if link is None else link.address
        url = {"backend_url": f"redis://{address}"}
        return {"servicegroup_tooz": url, "servicegroup": {"use_records": False}}

    def lose(self) -> None:
        self._redis.flush()


def _clear(url: str) -> None:
    # Who holds the lock of a file may be stopped at that moment.
    patient = {"timeout": PATIENCE} if url.startswith("sqlite") else {}
    engine = sa.create_engine(url, connect_args=patient)
    with contextlib.closing(engine.connect()) as connection, connection.begin():
        connection.execute(sa.delete(services))
        connection.execute(sa.delete(instances))
    engine.dispose()


@contextlib.contextmanager
def opened(kind: str, home: Home) -> Iterator[FaultyStore]:
    """Open a store by its kind, and close it.

    :raises servers.requirement.MissingError: its server is not installed
    """
    if kind == "sqlite":
        yield FaultyFile()
    elif kind == "memcache":
        with Memcached(home) as memcached:
            yield FaultyMemcached(memcached)
    elif kind == "k8s":
        with Kubernetes(home) as kubernetes:
            yield FaultyKubernetes(kubernetes)
    elif kind == "tooz":
        with Redis(home) as redis:
            yield FaultyRedis(redis)
    elif kind == "zookeeper":
        with ZooKeeper(home) as zookeeper:
            yield FaultyZooKeeper(zookeeper)
    else:
        server = {"postgresql": PostgreSQL, "mariadb": MariaDB}[kind]
        with server(home, skewable=True) as database:
            yield FaultyDatabase(database)


KINDS: dict[str, type[FaultyStore]] = {
    "sqlite": FaultyFile,
    "postgresql": FaultyDatabase,
    "mariadb": FaultyDatabase,
    "zookeeper": FaultyZooKeeper,
    "memcache": FaultyMemcached,
    "k8s": FaultyKubernetes,
    "tooz": FaultyRedis,
}
