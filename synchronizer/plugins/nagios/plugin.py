"""Hosts and services: all with their details now and then, and in between what changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from oslo_config import cfg

from ...model import Deleted, Entity, Item, Unchanged
from ...plugin import Context, DeltaPlugin, Incomplete, Rows
from .statusjson import MILLI, Host, Service, Settings, StatusJson

HOST, SERVICE = "nagios.host", "nagios.service"
#: What ``statusjson.cgi`` calls the states of hosts and of services.
HOST_STATES = {1: "pending", 2: "up", 4: "down", 8: "unreachable"}
SERVICE_STATES = {1: "pending", 2: "ok", 4: "warning", 8: "unknown", 16: "critical"}
PENDING = 1
#: Between a host's name and a service's in a key: Nagios allows it in neither.
SEPARATOR = ";"
#: So many are asked for one by one; of more, everything is read.
MOST_SINGLY = 20

#: Seconds to the end of a question that means "until now".
FAR = 10 * 365 * 86400
#: In place of a status: something was told, but not by this process.
SOMETHING = 0
#: The state is confirmed; otherwise it is still being tried again.
HARD = 1

States = dict[str, int]
Row = Host | Service


class NagiosPlugin(DeltaPlugin):
    """Reads a Nagios 4 through its web server.

    ``get_all`` reads all details, page by page. ``get_changes`` asks for the bare states of all,
    which is little, and for details of what changed its state. What changed without that, such as
    a text, an acknowledgement or a downtime, is told by the next ``get_all``.
    """

    entity_types = (HOST, SERVICE)
    #: Its times are whole seconds, and become visible every ``status_update_interval`` (10 s).
    overlap: ClassVar[float] = 30.0
    options = (
        cfg.StrOpt(
            "url",
            help="Where the programs of Nagios are, such as "
            "https://monitor.example.org/nagios4/cgi-bin; statusjson.cgi is below it.",
        ),
        cfg.StrOpt("user", help="Who asks. Nagios has to allow this user to see all hosts."),
        cfg.StrOpt("password", secret=True, help="The password of user."),
        cfg.StrOpt(
            "authentication",
            default="basic",
            choices=["basic", "digest"],
            help="What the web server asks for. That of Debian's packages asks for digest.",
        ),
        cfg.StrOpt("cafile", help="The certificates to trust in place of the system's."),
        cfg.FloatOpt(
            "timeout", default=30.0, min=0.1, help="Seconds to wait for one answer to go on."
        ),
        cfg.FloatOpt(
            "max_age",
            default=60.0,
            min=1.0,
            help="Seconds after which what Nagios wrote down last is out of date: it was killed or "
            "hangs. More than its own status_update_interval.",
        ),
        cfg.FloatOpt(
            "pending_grace",
            default=900.0,
            min=0.0,
            help="Seconds after a start or reload of Nagios during which a state that is pending "
            "means that it was forgotten: what was told before still holds.",
        ),
        cfg.IntOpt(
            "page_size",
            default=5000,
            min=1,
            help="How many services are asked for at once. Fewer need less memory, and more time: "
            "Nagios reads its whole file for each.",
        ),
    )

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        url = self.option["url"]
        if not url or not url.startswith(("http://", "https://")):
            raise ValueError(
                f"set [synchronizer_nagios] url to where the programs of Nagios are, beginning "
                f"with http:// or https://; it is {url!r}"
            )
        wanted = {name: self.option[name] for name in Settings._fields}
        self._nagios = StatusJson(Settings(**wanted))
        #: What was told last: {type: {key: status}}.
        self._told: dict[str, States] | None = None

    def probe(self) -> str:
        """Ask for the bare states of the hosts.

        :raises Incomplete: as :meth:`get_all`
        """
        self._nagios.begin()
        return f"Nagios shows {len(self._host_states())} hosts"

    def close(self) -> None:
        """Close the connections."""
        self._nagios.close()

    def get_all(self) -> Iterator[Item | Rows[Row]]:
        """Yield all hosts and services.

        :raises Incomplete: Nagios does not run, was killed, reloaded meanwhile or hides something
        """
        self._nagios.begin()
        now: dict[str, States] = {HOST: {}, SERVICE: {}}
        for hosts in self._pages(self._hosts):
            yield from self._items(HOST, hosts, now)
        self._demand_hosts(now[HOST])
        for services in self._pages(self._services):
            yield from self._items(SERVICE, services, now)
        self._told = now

    def get_changes(self, since: float) -> Iterator[Item | Rows[Row]]:
        """Yield what changed its state, came or went.

        :raises Incomplete: as :meth:`get_all`
        """
        told = self._told
        if told is None:
            yield from self.get_all()
            return
        self._nagios.begin()
        now = self._states()
        changed: list[Row] = [
            *self._hosts(hosttimefield="laststatechange", **_from(since)),
            *self._services(servicetimefield="laststatechange", **_from(since)),
        ]
        seen = {(_type(row), _key(row)) for row in changed}
        # A first result is no change of state to Nagios.
        missed = [
            (type_, key)
            for type_, states in now.items()
            for key, status in states.items()
            if told[type_].get(key) != status and (type_, key) not in seen
        ]
        if len(missed) > MOST_SINGLY:
            yield from self.get_all()
            now = self._told or now
        else:
            for type_, key in missed:
                changed.extend(self._one(type_, key))
            for type_ in (HOST, SERVICE):
                yield from self._items(type_, [row for row in changed if _type(row) == type_], now)
        for type_, before in told.items():
            for key in before.keys() - now[type_].keys():
                yield Deleted(key, type_)
        self._told = now

    def _states(self) -> dict[str, States]:
        """Return the state of everything, as it is to be told."""
        hosts = self._host_states()
        services = {
            f"{host}{SEPARATOR}{service}": status
            for host, of_host in self._nagios.services(States).items()
            for service, status in of_host.items()
        }
        return {
            type_: {key: self._kept(type_, key, status) for key, status in states.items()}
            for type_, states in ((HOST, hosts), (SERVICE, services))
        }

    def _host_states(self) -> States:
        hosts = self._nagios.hosts(int)
        self._demand_hosts(hosts)
        return hosts

    def _demand_hosts(self, hosts: States) -> None:
        """Check that there is one; Nagios does not even start without."""
        if not hosts:
            raise Incomplete(
                f"Nagios shows user {self.option['user']!r} no host at all: name the user in "
                f"authorized_for_all_hosts and authorized_for_all_services of its cgi.cfg"
            )

    def _hosts(self, **arguments: Any) -> list[Row]:
        return list(self._nagios.hosts(Host, details="true", **arguments).values())

    def _services(self, **arguments: Any) -> list[Row]:
        hosts = self._nagios.services(dict[str, Service], details="true", **arguments)
        return [row for of_host in hosts.values() for row in of_host.values()]

    def _one(self, type_: str, key: str) -> list[Row]:
        host, _, service = key.partition(SEPARATOR)
        if type_ == HOST:
            rows = self._hosts(hostname=host)
        else:
            rows = self._services(hostname=host, servicedescription=service)
        return [row for row in rows if _key(row) == key]

    def _pages(self, ask: Callable[..., list[Row]]) -> Iterator[list[Row]]:
        size, start = self.option["page_size"], 0
        while page := ask(start=start, count=size):
            yield page
            if len(page) < size:
                return
            start += size

    def _items(
        self, type_: str, rows: list[Row], now: dict[str, States]
    ) -> Iterator[Unchanged | Rows[Row]]:
        """Yield *rows*, but those whose state Nagios forgot as unchanged; note them in *now*."""
        known = []
        for row in rows:
            kept = now[type_][_key(row)] = self._kept(type_, _key(row), row.status)
            if kept == row.status:
                known.append(row)
            else:
                yield Unchanged(_key(row), type_)
        yield Rows(type_, known, key=_key, entity=_entity)

    def _kept(self, type_: str, key: str, status: int) -> int:
        """Return *status*, or what was told before where Nagios only forgot it.

        It does so when it is started or reloaded without its retention file. What came since it
        was asked last is new, and pending indeed.
        """
        life = self._nagios.life
        assert life is not None
        if status != PENDING or life.age >= self.option["pending_grace"]:
            return status
        return SOMETHING if self._told is None else self._told[type_].get(key, PENDING)


def _from(since: float) -> dict[str, int]:
    # Nagios refuses an end that is not after the start, even where its clock was stepped back.
    return {"starttime": int(since), "endtime": int(since) + FAR}


def _type(row: Row) -> str:
    return HOST if isinstance(row, Host) else SERVICE


def _key(row: Row) -> str:
    if isinstance(row, Host):
        return row.name
    return f"{row.host_name}{SEPARATOR}{row.description}"


def _entity(row: Row) -> Entity:
    names = HOST_STATES if isinstance(row, Host) else SERVICE_STATES
    return Entity(
        key=_key(row),
        type=_type(row),
        state=names.get(row.status, str(row.status)),
        parent_key=None if isinstance(row, Host) else row.host_name,
        timestamp=row.last_state_change / MILLI or None,
        data={
            "name": row.name if isinstance(row, Host) else row.description,
            "text": row.plugin_output,
            "long_text": row.long_plugin_output,
            "hard": row.state_type == HARD,
            "acknowledged": row.problem_has_been_acknowledged,
            "in_downtime": row.scheduled_downtime_depth > 0,
            "flapping": row.is_flapping,
            "notifications": row.notifications_enabled,
            "checked_actively": row.checks_enabled,
        },
    )
