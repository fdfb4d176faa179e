"""Private ZooKeeper servers: one alone, and an ensemble of three."""

import contextlib
import socket
import time
from pathlib import Path
from typing import ClassVar, Self

from servers.account import ServerError
from servers.home import Home
from servers.ports import LOOPBACK, free_ports
from servers.process import Server
from servers.requirement import MissingError, find_program

JAVA = Path("/usr/share/java")
JAR = JAVA / "zookeeper.jar"
#: What the jar does not name itself: logs to stderr, and what TLS needs.
LIBRARIES = (JAVA / "slf4j-simple.jar", JAVA / "netty-codec.jar")
ENSEMBLE = 3
#: Ticks of 100 ms keep sessions of 200 ms possible. Names of zoo.cfg.
SETTINGS = {
    "tickTime": "100",
    "minSessionTimeout": "200",
    "maxSessionTimeout": "60000",
    "maxClientCnxns": "0",
    "admin.enableServer": "false",
    "4lw.commands.whitelist": "*",
    "preAllocSize": "4096",
    "snapCount": "1000000",
}
#: Bytes of one request or node; ZooKeeper's own limit, so that tests meet it.
LARGEST = 1024 * 1024


class ZooKeeper(Server):
    """One ZooKeeper server, alone or a member of an ensemble.

    Sessions, ephemeral nodes and data outlive :meth:`kill` and :meth:`restart`.
    """

    name: ClassVar[str] = "zookeeper"
    #: How the virtual machine runs: small, and quickly started.
    java: tuple[str, ...] = (
        "-Xms32m",
        "-Xmx256m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
    )

    def __init__(self, home: Home, **settings: str) -> None:
        super().__init__(home)
        self.settings = {**SETTINGS, **settings}

    @classmethod
    def find(cls) -> None:
        find_program("java", "default-jre-headless")
        if not JAR.exists():
            raise MissingError(str(JAR), "install the package zookeeper")

    @property
    def data(self) -> Path:
        """The folder of its transaction log and snapshots."""
        return self.folder / "data"

    def prepare(self) -> None:
        self.runs_as.make_folder(self.data)

    def lose_data(self) -> None:
        """Remove what a stopped server kept, its sessions included."""
        for path in (self.data / "version-2").glob("*"):
            path.unlink()

    def command(self) -> list[str]:
        places = {"dataDir": str(self.data), "clientPort": str(self.port)}
        lines = {**self.settings, **places, "clientPortAddress": self.host}
        text = "".join(f"{key}={value}\n" for key, value in lines.items())
        (self.folder / "zoo.cfg").write_text(text)
        return [
            str(find_program("java", "default-jre-headless")),
            *(*self.java, "-Xshare:auto", "-Djava.net.preferIPv4Stack=true"),
            # A kill -9 loses nothing without it, only a power cut of the machine does.
            "-Dzookeeper.forceSync=no",
            *("-Dzookeeper.jmx.log4j.disable=true", f"-Djute.maxbuffer={LARGEST}"),
            *("-cp", ":".join(map(str, (self.folder, JAR, *LIBRARIES)))),
            "org.apache.zookeeper.server.quorum.QuorumPeerMain",
            str(self.folder / "zoo.cfg"),
        ]

    def ready(self) -> bool:
        # "ruok" is answered before there is a quorum.
        # Who connects while it starts may never be answered.
        return "Mode:" in self.ask("srvr", timeout=0.5)

    def ask(self, word: str, timeout: float = 5.0) -> str:
        """Send one of the four-letter words, such as ``cons`` or ``wchs``."""
        with socket.create_connection((self.host, self.port), timeout=timeout) as connection:
            connection.sendall(word.encode())
            answer = b""
            while part := connection.recv(65536):
                answer += part
        return answer.decode()

    @property
    def leads(self) -> bool:
        """Whether it is the leader of its ensemble."""
        with contextlib.suppress(OSError):
            return "Mode: leader" in self.ask("srvr")
        return False


class _EnsembleMember(ZooKeeper):
    """One of several: the first to start cannot wait for the others, who start after it."""

    def __init__(self, home: Home, number: int, peers: list[str], port: int) -> None:
        servers = {f"server.{n}": peer for n, peer in enumerate(peers, 1)}
        super().__init__(home, **servers, initLimit="100", syncLimit="50")
        self.ports = [port]
        self.alone = True
        self._number = number

    def prepare(self) -> None:
        super().prepare()
        (self.data / "myid").write_text(f"{self._number}\n")

    def ready(self) -> bool:
        return bool(self.ask("srvr")) if self.alone else super().ready()

    def start(self) -> Self:
        if not self.folder.exists():
            self.runs_as.make_folder(self.folder)
            self.prepare()
        return super().start()


class Ensemble:
    """Three servers that keep one set of data; as a context manager started and closed."""

    def __init__(self, home: Home) -> None:
        ports = free_ports(3 * ENSEMBLE)
        peers = [f"{LOOPBACK}:{ports[n]}:{ports[ENSEMBLE + n]}" for n in range(ENSEMBLE)]
        clients = ports[2 * ENSEMBLE :]
        self.servers = [_EnsembleMember(home, n + 1, peers, clients[n]) for n in range(ENSEMBLE)]

    @property
    def address(self) -> str:
        """All its servers, for clients."""
        return ",".join(server.address for server in self.servers)

    @property
    def leader(self) -> ZooKeeper:
        """The server that leads now."""
        (leader,) = (server for server in self.servers if server.running and server.leads)
        return leader

    def __enter__(self) -> Self:
        try:
            for server in self.servers:
                server.start()
            deadline = time.monotonic() + ZooKeeper.ready_within
            while not all("Mode:" in server.ask("srvr") for server in self.servers):
                if time.monotonic() > deadline:
                    raise ServerError(f"no quorum\n{self.servers[0].log.tail()}")
                time.sleep(0.02)
        except BaseException:
            self.__exit__()
            raise
        for server in self.servers:
            server.alone = False
        return self

    def __exit__(self, *exc: object) -> None:
        for server in self.servers:
            server.close()
