"""Private ironic processes, from the package index and in an environment of their own."""

import http.client
import json
from pathlib import Path
from typing import Any, ClassVar

from servers.process import Server
from servers.requirement import MissingError

#: Made by ``make .venv-services/.made``.
PROGRAMS = Path(__file__).parents[2] / ".venv-services" / "bin"
#: Seconds for one request.
PATIENCE = 15.0
VERSION = "1.93"

_SETTINGS = """
[DEFAULT]
auth_strategy = noauth
rpc_transport = none
host = conductor-1
my_ip = 127.0.0.1
enabled_hardware_types = fake-hardware
enabled_bios_interfaces = no-bios
enabled_boot_interfaces = fake
enabled_console_interfaces = no-console
enabled_deploy_interfaces = fake
default_deploy_interface = fake
enabled_firmware_interfaces = no-firmware
enabled_inspect_interfaces = no-inspect
enabled_management_interfaces = fake
enabled_network_interfaces = noop
enabled_power_interfaces = fake
enabled_raid_interfaces = no-raid
enabled_rescue_interfaces = no-rescue
enabled_storage_interfaces = noop
enabled_vendor_interfaces = no-vendor
[api]
host_ip = 127.0.0.1
port = {ports[0]}
max_limit = 3
[conductor]
automated_clean = false
[json_rpc]
host_ip = 127.0.0.1
port = {ports[1]}
auth_strategy = noauth
[database]
connection = sqlite:///{folder}/ironic.sqlite
[oslo_messaging_notifications]
driver = noop
"""


class Ironic(Server):
    """One ironic: its API and a conductor that drives what is not there, without keystone.

    A page of its lists holds three at most.
    """

    name = "ironic"
    port_count: ClassVar[int] = 2
    ready_within: ClassVar[float] = 60.0

    @classmethod
    def find(cls) -> None:
        if not (PROGRAMS / "ironic").exists():
            raise MissingError("ironic", "make .venv-services/.made")

    @property
    def url(self) -> str:
        """Where its API is."""
        return f"http://{self.address}"

    def prepare(self) -> None:
        settings = f"--config-file={self._settings([0, 0])}"
        create = [str(PROGRAMS / "ironic-dbsync"), settings, "create_schema"]
        self.runs_as.run(create, self.folder, self.environment())

    def command(self) -> list[str]:
        return [str(PROGRAMS / "ironic"), f"--config-file={self._settings(self.ports)}"]

    def ready(self) -> bool:
        conductors = self.request("GET", "/v1/conductors")["conductors"]
        return any(conductor["alive"] for conductor in conductors)

    def stop(self) -> None:
        """Kill it: it waits for others to take over, and its data are in the database."""
        self.kill()

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """Ask its API for something; an answer of 400 and more raises ``ValueError``."""
        client = http.client.HTTPConnection(self.address, timeout=PATIENCE)
        try:
            headers = {"X-OpenStack-Ironic-API-Version": VERSION}
            headers["Content-Type"] = "application/json"
            sent = None if body is None else json.dumps(body)
            client.request(method, path, sent, headers)
            answer = client.getresponse()
            data = answer.read()
            if answer.status >= 400:
                raise ValueError(f"{method} {path} is answered by {answer.status}: {data!r}")
            return json.loads(data) if data else None
        finally:
            client.close()

    def _settings(self, ports: list[int]) -> Path:
        file = self.folder / "ironic.conf"
        file.write_text(_SETTINGS.format(folder=self.folder, ports=ports))
        return file
