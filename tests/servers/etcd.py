"""Private etcd servers: one node each."""

import urllib.request
from typing import ClassVar

from servers.process import Server
from servers.requirement import find_program


class Etcd(Server):
    """One etcd with its data in memory, as far as the tests' folder is."""

    name = "etcd"
    port_count = 2
    stop_within: ClassVar[float] = 5.0

    @classmethod
    def find(cls) -> None:
        find_program("etcd", "etcd-server")

    def command(self) -> list[str]:
        client, peer = (f"http://{self.host}:{port}" for port in self.ports)
        return [
            str(find_program("etcd", "etcd-server")),
            *("--name", "one", "--data-dir", str(self.folder / "data")),
            *("--listen-client-urls", client, "--advertise-client-urls", client),
            *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
            *("--initial-cluster", f"one={peer}", "--initial-cluster-state", "new"),
        ]

    def clear(self) -> None:
        """Forget every key, at once."""
        every = b'{"key": "AA==", "range_end": "AA=="}'
        url = f"http://{self.address}/v3/kv/deleterange"
        with urllib.request.urlopen(url, every, timeout=10) as answer:
            answer.read()

    def ready(self) -> bool:
        with urllib.request.urlopen(f"http://{self.address}/health", timeout=1) as answer:
            return b'"health":"true"' in answer.read()
