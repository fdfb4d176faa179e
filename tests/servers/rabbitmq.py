"""Private RabbitMQ brokers, each with an Erlang port mapper and cookie of its own."""

import contextlib
import os
import socket
import subprocess
from pathlib import Path
from typing import ClassVar

from servers.certificate import self_signed
from servers.process import Server
from servers.requirement import find_program, newest_first

LIBRARY = Path("/usr/lib/rabbitmq")
#: Seconds for one command of the broker's own tools.
PATIENCE = 30.0


class RabbitMQ(Server):
    """One broker, for ``guest`` with password ``guest``. Durable queues outlive :meth:`kill`.

    It also speaks TLS, on a port of its own, by the certificate in the file ``certificate``.
    """

    name = "rabbitmq"
    account = "rabbitmq"
    #: For clients, between nodes, of the port mapper, and for clients that speak TLS.
    port_count: ClassVar[int] = 4
    ready_within: ClassVar[float] = 60.0
    # It needs a second or more, and nothing in it is worth saving but what is on disk anyway.
    stop_within: ClassVar[float] = 20.0

    @classmethod
    def find(cls) -> None:
        cls._program("rabbitmq-server")
        find_program("epmd", "erlang-base")

    @classmethod
    def _program(cls, name: str) -> str:
        folders = (LIBRARY / "bin", *newest_first(LIBRARY / "lib", "*/sbin"))
        return str(find_program(name, "rabbitmq-server", folders))

    @property
    def url(self) -> str:
        """What oslo.messaging calls it."""
        return f"rabbit://guest:guest@{self.address}/"

    @property
    def certificate(self) -> Path:
        """The file of the certificate, which vouches for itself."""
        return self.folder / "certificate.pem"

    @property
    def tls_url(self) -> str:
        """What oslo.messaging calls it, by TLS and only with that certificate."""
        return (
            f"rabbit://guest:guest@{self.host}:{self.ports[3]}/"
            f"?ssl=true&ssl_ca_file={self.certificate}"
        )

    def environment(self) -> dict[str, str]:
        return super().environment() | {
            "RABBITMQ_NODENAME": f"test{self.ports[0]}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": self.host,
            "RABBITMQ_NODE_PORT": str(self.ports[0]),
            "RABBITMQ_DIST_PORT": str(self.ports[1]),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "-kernel inet_dist_use_interface {127,0,0,1} +S 1:1 +sbwt none"
            ),
            "ERL_EPMD_PORT": str(self.ports[2]),
            "ERL_EPMD_ADDRESS": self.host,
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq"),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
        }

    def prepare(self) -> None:
        (self.folder / "plugins").write_text("[].\n")
        _, key = self_signed(self.folder, self.host)
        key.chmod(0o644)

    def command(self) -> list[str]:
        (self.folder / "rabbitmq.conf").write_text(
            f"listeners.ssl.1 = {self.host}:{self.ports[3]}\n"
            f"ssl_options.cacertfile = {self.certificate}\n"
            f"ssl_options.certfile = {self.certificate}\n"
            f"ssl_options.keyfile = {self.folder / 'key.pem'}\n"
            "ssl_options.verify = verify_none\n"
        )
        return [self._program("rabbitmq-server")]

    def ready(self) -> bool:
        with socket.create_connection((self.host, self.port), timeout=1.0) as client:
            client.sendall(b"AMQP\0\0\x09\x01")
            return bool(client.recv(8))

    def stop(self) -> None:
        super().stop()
        self._end_mapper()

    def kill(self) -> None:
        super().kill()
        self._end_mapper()

    def control(self, *arguments: str) -> str:
        """Run ``rabbitmqctl`` and return what it prints."""
        command = [self._program("rabbitmqctl"), "--quiet", *arguments]
        done = subprocess.run(
            self.runs_as.command(command),
            env=self.environment(),
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE,
        )
        return done.stdout

    def queues(self) -> dict[str, int]:
        """List all queues with the number of messages in each."""
        listed = self.control("list_queues", "--no-table-headers", "name", "messages")
        return {name: int(count) for name, count in map(str.split, listed.splitlines())}

    def _end_mapper(self) -> None:
        """End the port mapper, which the broker starts and leaves behind; it has its own port."""
        if not self.ports:
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(
                [str(find_program("epmd", "erlang-base")), "-port", str(self.ports[2]), "-kill"],
                env=self.environment(),
                check=False,
                capture_output=True,
                timeout=PATIENCE,
            )
