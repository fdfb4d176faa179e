"""Private Kubernetes API servers: our own strict one, in a process of its own."""

import http.client
import json
import os
import ssl
import sys
from pathlib import Path
from typing import Any, ClassVar

from servers.certificate import self_signed
from servers.home import Home
from servers.process import Server
from servers.requirement import MissingError

#: Seconds for one command of a test.
PATIENCE = 10.0
TOKEN = "test-administrator"


class Kubernetes(Server):
    """One API server.

    :param tls: it speaks TLS only, by the certificate in the file ``certificate``
    :param bookmark_interval: seconds between two bookmarks in a watch
    :param collect_interval: seconds between two rounds of the garbage collector; 0: when told
    """

    name = "kubernetes"
    port_count: ClassVar[int] = 2
    stop_within: ClassVar[float] = 5.0

    def __init__(
        self,
        home: Home,
        *,
        tls: bool = False,
        bookmark_interval: float = 1.0,
        collect_interval: float = 0.0,
    ) -> None:
        super().__init__(home)
        self.tls = tls
        self.bookmark_interval = bookmark_interval
        self.collect_interval = collect_interval

    @classmethod
    def find(cls) -> None:
        try:
            import aiohttp  # noqa: F401
        except ImportError as error:
            raise MissingError("aiohttp", "pip install 'servicegroup[test]'") from error

    @property
    def url(self) -> str:
        """Where the API is."""
        return f"{'https' if self.tls else 'http'}://{self.address}"

    @property
    def certificate(self) -> Path:
        """The file of the certificate, which vouches for itself."""
        return self.folder / "certificate.pem"

    def prepare(self) -> None:
        if not self.tls:
            return
        certificate, key = self_signed(self.folder, self.host)
        (self.folder / "both.pem").write_bytes(certificate.read_bytes() + key.read_bytes())

    def command(self) -> list[str]:
        where = ["--port", str(self.ports[0]), "--control", str(self.ports[1])]
        how = ["--token", TOKEN, "--bookmark-interval", str(self.bookmark_interval)]
        how += ["--collect-interval", str(self.collect_interval), "--folder", str(self.folder)]
        if self.tls:
            how += ["--certificate", str(self.folder / "both.pem")]
        return [sys.executable, "-m", "kubeapi", *where, *how]

    def environment(self) -> dict[str, str]:
        return {
            **super().environment(),
            "PYTHONPATH": str(Path(__file__).parents[1]),
            "PATH": os.environ.get("PATH", os.defpath),
        }

    def ready(self) -> bool:
        return self.request("GET", "/version")[0] == 200

    def stop(self) -> None:
        """Kill it: whatever was answered is in its journal."""
        self.kill()

    def tell(self, word: str, **arguments: Any) -> Any:
        """Do to the server what only a test may; see ``kubeapi.control``."""
        client = http.client.HTTPConnection(self.host, self.ports[1], timeout=PATIENCE)
        try:
            client.request("POST", f"/{word}", json.dumps(arguments))
            answer = client.getresponse()
            data = answer.read()
            if answer.status != 200:
                raise ConnectionError(f"the control port answers {answer.status}: {data!r}")
            return json.loads(data)
        finally:
            client.close()

    def request(
        self, method: str, path: str, body: Any = None, *, token: str = TOKEN, **headers: str
    ) -> tuple[int, Any]:
        """Ask the API for something as the administrator: its status and its answer."""
        kind: Any = http.client.HTTPConnection
        how: dict[str, Any] = {"timeout": PATIENCE}
        if self.tls:
            kind = http.client.HTTPSConnection
            how["context"] = ssl.create_default_context(cafile=str(self.certificate))
        client = kind(self.host, self.ports[0], **how)
        try:
            sent = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            sent |= {name.replace("_", "-"): value for name, value in headers.items()}
            client.request(method, path, None if body is None else json.dumps(body), sent)
            answer = client.getresponse()
            data = answer.read()
            is_json = answer.headers.get_content_type() == "application/json"
            return answer.status, json.loads(data) if is_json else data
        finally:
            client.close()

    def kubeconfig(self, path: Path, *, namespace: str = "default", token: str = TOKEN) -> Path:
        """Write the file by which clients find and enter it."""
        cluster: dict[str, Any] = {"server": self.url}
        if self.tls:
            cluster["certificate-authority"] = str(self.certificate)
        context = {"cluster": "test", "user": "test", "namespace": namespace}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": cluster}],
            "contexts": [{"name": "test", "context": context}],
            "users": [{"name": "test", "user": {"token": token}}],
        }
        path.write_text(json.dumps(config))
        return path

    def create_namespace(self, name: str) -> str:
        """Make a namespace, in which a test is alone."""
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        status, answer = self.request("POST", "/api/v1/namespaces", body)
        assert status == 201, answer
        return name
