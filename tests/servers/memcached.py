"""Private memcached servers."""

import contextlib
import re
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote_to_bytes

from servers.certificate import self_signed
from servers.home import Home
from servers.process import Server
from servers.requirement import find_program

_METADUMP = re.compile(rb"^key=(\S+) ", re.MULTILINE)
#: Seconds for one command of a test.
PATIENCE = 10.0


class Memcached(Server):
    """One memcached; *settings* are added to its command line.

    :param tls: it speaks TLS only, by the certificate in the file ``certificate``
    :param unix: it listens at a Unix socket only
    """

    name = "memcached"
    account = "memcache"
    # It ends a second after SIGTERM, and has nothing to save.
    stop_within: ClassVar[float] = 5.0

    def __init__(
        self,
        home: Home,
        *,
        skewable: bool = False,
        memory: int = 64,
        settings: Sequence[str] = (),
        tls: bool = False,
        unix: bool = False,
    ) -> None:
        super().__init__(home, skewable=skewable)
        self.memory = memory
        self.settings = list(settings)
        self.tls = tls
        self.unix = unix

    @classmethod
    def find(cls) -> None:
        find_program("memcached", "memcached")

    @property
    def certificate(self) -> Path:
        """The file of the certificate, which vouches for itself."""
        return self.folder / "certificate.pem"

    @property
    def address(self) -> str:
        """``host:port`` for clients, or the path of the socket."""
        return str(self.folder / "socket") if self.unix else super().address

    def prepare(self) -> None:
        if not self.tls:
            return
        _, key = self_signed(self.folder, self.host)
        key.chmod(0o644)

    def command(self) -> list[str]:
        program = str(find_program("memcached", "memcached"))
        where = ["-l", self.host, "-p", str(self.port), "-U", "0"]
        if self.unix:
            where = ["-s", self.address, "-a", "0777"]
        if self.tls:
            key = self.folder / "key.pem"
            where += ["-Z", "-o", f"ssl_chain_cert={self.certificate},ssl_key={key}"]
        return [program, *where, "-m", str(self.memory), "-t", "2", "-c", "2000", *self.settings]

    def ready(self) -> bool:
        return self.ask(b"version\r\n").startswith(b"VERSION")

    def stop(self) -> None:
        """Kill it: it keeps nothing that an orderly end could save."""
        self.kill()

    def ask(self, commands: bytes, end: bytes = b"\r\n") -> bytes:
        """Send commands and read until what came ends with *end*."""
        with self._connect() as client:
            client.sendall(commands)
            data = b""
            while not data.endswith(end):
                part = client.recv(65536)
                if not part:
                    raise ConnectionResetError(f"{self.name} closed the connection")
                data += part
        return data

    def _connect(self) -> socket.socket:
        if self.unix:
            client = socket.socket(socket.AF_UNIX)
            client.settimeout(PATIENCE)
            with contextlib.ExitStack() as failing:
                failing.enter_context(client)
                client.connect(self.address)
                failing.pop_all()
            return client
        client = socket.create_connection((self.host, self.port), PATIENCE)
        if self.tls:
            context = ssl.create_default_context(cafile=str(self.certificate))
            return context.wrap_socket(client, server_hostname=self.host)
        return client

    def flush(self) -> None:
        """Forget everything, at once."""
        assert self.ask(b"flush_all\r\n") == b"OK\r\n"

    def remaining(self) -> dict[bytes, int]:
        """List all keys and the remaining seconds of each; -1 for those that stay."""
        listed = self.ask(b"lru_crawler metadump hash\r\n", b"END\r\n")
        names = [unquote_to_bytes(key) for key in _METADUMP.findall(listed)]
        asked = b"".join(b"mg %b t\r\n" % key for key in names) + b"mn\r\n"
        lines = self.ask(asked, b"MN\r\n").split(b"\r\n")
        remaining = {}
        for key, line in zip(names, lines, strict=False):
            if line.startswith(b"HD t"):
                remaining[key] = int(line[4:])
        return remaining

    def age(self, seconds: float) -> None:
        """Make everything in it *seconds* older: what would have expired by then is gone."""
        passed = round(seconds)
        commands = []
        for key, left in self.remaining().items():
            if left < 0:
                continue
            if left <= passed:
                commands.append(b"md %b\r\n" % key)
                continue
            commands.append(b"mg %b T%d\r\n" % (key, left - passed))
        self.ask(b"".join(commands) + b"mn\r\n", b"MN\r\n")
