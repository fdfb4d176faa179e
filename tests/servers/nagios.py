"""Private Nagios servers, with their JSON behind a private web server that asks for a password."""

import base64
import http.client
import json
import os
import signal
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self
from urllib.parse import urlencode

from servers.home import Home
from servers.process import Server
from servers.requirement import MissingError, find_program

CGI = Path("/usr/lib/cgi-bin/nagios4")
USER, PASSWORD = "reader", "a secret: ÄÖ"
#: Seconds for one request, and for what was told to be seen.
PATIENCE = 10.0

_SETTINGS = """
log_file={folder}/nagios.log
cfg_file={folder}/objects.cfg
object_cache_file={folder}/objects.cache
precached_object_file={folder}/objects.precache
status_file={folder}/status.dat
status_update_interval=1
temp_file={folder}/nagios.tmp
temp_path={folder}
check_result_path={folder}/results
state_retention_file={folder}/retention.dat
retain_state_information={retain}
command_file={folder}/rw/nagios.cmd
check_external_commands=1
lock_file={folder}/nagios.lock
query_socket={folder}/rw/query
interval_length=1
check_workers=1
enable_notifications=0
execute_host_checks=0
execute_service_checks=0
use_syslog=0
date_format=iso8601
illegal_macro_output_chars=`~$&|'"<>
"""
_CGI_SETTINGS = """
main_config_file={folder}/nagios.cfg
physical_html_path={folder}
url_html_path=/
use_authentication=0
"""
_OBJECTS = """
define command {
    command_name never
    command_line /bin/true
}
define timeperiod {
    timeperiod_name always
    alias always
}
define contact {
    contact_name nobody
    host_notification_commands never
    service_notification_commands never
    host_notification_period always
    service_notification_period always
}
"""
_WEB = """
server.modules = ("mod_auth", "mod_authn_file", "mod_alias", "mod_setenv", "mod_cgi")
server.document-root = "{folder}"
server.bind = "{host}"
server.port = {port}
auth.backend = "plain"
auth.backend.plain.userfile = "{folder}/passwords"
auth.require = (
    "/nagios/" => ("method" => "basic", "realm" => "Nagios", "require" => "valid-user"),
    "/digest/" => ("method" => "digest", "realm" => "Nagios", "require" => "valid-user"),
)
alias.url = ("/nagios/cgi-bin/" => "{cgi}/", "/digest/cgi-bin/" => "{cgi}/")
setenv.add-environment = ("NAGIOS_CGI_CONFIG" => "{nagios}/cgi.cfg")
cgi.assign = (".cgi" => "")
"""


class _Web(Server):
    """The web server in front of one Nagios."""

    name = "lighttpd"
    account = "nagios"

    def __init__(self, home: Home, nagios: Path) -> None:
        super().__init__(home)
        self._nagios = nagios

    @classmethod
    def find(cls) -> None:
        find_program("lighttpd", "lighttpd")

    def prepare(self) -> None:
        (self.folder / "passwords").write_text(f"{USER}:{PASSWORD}\n", encoding="utf-8")

    def command(self) -> list[str]:
        settings = self.folder / "lighttpd.conf"
        settings.write_text(
            _WEB.format(
                folder=self.folder, host=self.host, port=self.port, cgi=CGI, nagios=self._nagios
            )
        )
        return [str(find_program("lighttpd", "lighttpd")), "-D", "-f", str(settings)]

    def ready(self) -> bool:
        client = http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE)
        try:
            client.request("GET", "/nagios/")
            return client.getresponse().status == 401
        finally:
            client.close()

    def stop(self) -> None:
        """Kill it: it has nothing to save."""
        self.kill()


class Nagios(Server):
    """One Nagios that checks nothing by itself: results are :meth:`report`\\ ed to it.

    ``stop``, ``kill``, ``pause`` concern Nagios; its web server goes on.

    :param hosts: {host: its services}
    :param retain: it keeps states over starts and reloads
    """

    name = "nagios"
    account = "nagios"
    # It listens nowhere itself; that a port was given says that it was prepared.
    port_count: ClassVar[int] = 1

    def __init__(
        self, home: Home, hosts: Mapping[str, Iterable[str]], *, retain: bool = True
    ) -> None:
        super().__init__(home)
        self._hosts = hosts
        self._retain = retain
        self._web = _Web(home, self.folder)

    @classmethod
    def find(cls) -> None:
        find_program("nagios4", "nagios4-core")
        if not (CGI / "statusjson.cgi").exists():
            raise MissingError("statusjson.cgi", "install the package nagios4-cgi")

    @property
    def address(self) -> str:
        return self._web.address

    @property
    def url(self) -> str:
        """Below which its programs are."""
        return f"http://{self.address}/nagios/cgi-bin"

    def prepare(self) -> None:
        self.folder.chmod(0o755)  # whatever umask a test has set just now
        for name in ("rw", "results"):
            self.runs_as.make_folder(self.folder / name)
        for name, text in (("nagios.cfg", _SETTINGS), ("cgi.cfg", _CGI_SETTINGS)):
            (self.folder / name).write_text(
                text.format(folder=self.folder, retain=int(self._retain))
            )
            (self.folder / name).chmod(0o644)
        self.define(self._hosts)

    def command(self) -> list[str]:
        return [str(find_program("nagios4", "nagios4-core")), str(self.folder / "nagios.cfg")]

    def ready(self) -> bool:
        return (self.folder / "status.dat").exists() and (self.folder / "rw/nagios.cmd").exists()

    def start(self) -> Self:
        super().start()
        if not self._web.running:
            self._web.start()
        return self

    def kill(self) -> None:
        super().kill()
        # Nobody reads it any more: whoever opened it would wait for ever.
        (self.folder / "rw/nagios.cmd").unlink(missing_ok=True)

    def close(self) -> None:
        try:
            self._web.close()
        finally:
            super().close()

    def define(self, hosts: Mapping[str, Iterable[str]]) -> None:
        """Write what it watches; :meth:`reload` makes it known."""
        lines = [_OBJECTS]
        shared = "check_command never\nmax_check_attempts 1\ncontacts nobody\ncheck_period always\n"
        shared += "notification_period always\nactive_checks_enabled 0\n"
        for host, services in hosts.items():
            lines.append(
                f"define host {{\nhost_name {host}\nalias {host}\naddress 127.0.0.1\n{shared}}}\n"
            )
            for service in services:
                what = f"host_name {host}\nservice_description {service}\n"
                lines.append(f"define service {{\n{what}{shared}}}\n")
        (self.folder / "objects.cfg").write_text("".join(lines))
        (self.folder / "objects.cfg").chmod(0o644)

    def reload(self) -> None:
        """Have it read again what it watches; returns when the new life has begun."""
        before = self.ask("programstatus")["result"]["program_start"]
        os.kill(self.pid, signal.SIGHUP)
        self._until(lambda: self.program_start() not in (None, before))

    def program_start(self) -> int | None:
        """When its life began; ``None`` while it does not say."""
        started: int | None = self.ask("programstatus")["result"].get("program_start")
        return started

    def tell(self, command: str) -> None:
        """Give it an external command."""
        with (self.folder / "rw/nagios.cmd").open("w") as pipe:
            pipe.write(f"[{int(time.time())}] {command}\n")

    def report(self, host: str, service: str | None, code: int, text: str) -> None:
        """Report the result of a check; returns when it can be asked for."""
        if service is None:
            self.tell(f"PROCESS_HOST_CHECK_RESULT;{host};{code};{text}")
            self._until(lambda: self.host_status(host)["plugin_output"] == text)
        else:
            self.tell(f"PROCESS_SERVICE_CHECK_RESULT;{host};{service};{code};{text}")
            self._until(lambda: self.service_status(host, service)["plugin_output"] == text)

    def host_status(self, host: str) -> Any:
        """Ask what is known of a host."""
        return self.ask("host", hostname=host)["data"]["host"]

    def service_status(self, host: str, service: str) -> Any:
        """Ask what is known of a service."""
        return self.ask("service", hostname=host, servicedescription=service)["data"]["service"]

    def ask(self, query: str, **arguments: str) -> Any:
        """Ask it as its own web page does."""
        client = http.client.HTTPConnection(self.address, timeout=PATIENCE)
        try:
            secret = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            asked = urlencode({"query": query, **arguments})
            client.request(
                "GET",
                f"/nagios/cgi-bin/statusjson.cgi?{asked}",
                headers={"Authorization": f"Basic {secret}"},
            )
            return json.loads(client.getresponse().read())
        finally:
            client.close()

    def _until(self, seen: Any) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                if seen():
                    return
            except (KeyError, json.JSONDecodeError):
                pass  # it is just starting
            if time.monotonic() > deadline:
                raise TimeoutError(f"not seen within {PATIENCE:g} s\n{self.log.tail()}")
            time.sleep(0.05)
