"""The plugin that asks the services of a cloud."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, ClassVar, NamedTuple

from oslo_config import cfg

from ...model import Deleted, Entity, Item
from ...plugin import Context, DeltaPlugin, Rows
from . import rows, shapes
from .cloud import NAMES, Cloud, Question


class Source(NamedTuple):
    """How one type is read.

    ``key`` and ``changed`` are the names of fields: what identifies a row, and when it changed.
    ``since``: of the argument that asks for what changed since a time, with the least version.
    """

    question: Question
    row: type[Any]
    entity: Callable[[Any], Entity]
    key: str = "id"
    changed: str = ""
    since: Callable[[str], dict[str, str]] | None = None
    since_version: str | None = None


SOURCES = {
    shapes.INSTANCE: Source(
        Question("compute", "/servers/detail", "servers", rows.NOVA_VERSION),
        rows.Server,
        rows.instance,
        changed="updated",
        since=lambda when: {"changes-since": when},
    ),
    shapes.HOST: Source(
        Question(
            "compute",
            "/os-services",
            "services",
            rows.NOVA_VERSION,
            {"binary": "nova-compute"},
            paged=False,
        ),
        rows.Service,
        rows.host,
        key="host",
    ),
    shapes.ZONE: Source(
        Question("compute", "/os-availability-zone/detail", "availabilityZoneInfo", paged=False),
        rows.Zone,
        rows.zone,
        key="zoneName",
    ),
    shapes.VOLUME: Source(
        Question("block_storage", "/volumes/detail", "volumes"),
        rows.Volume,
        rows.volume,
        changed="updated_at",
        since=lambda when: {"updated_at": f"gte:{when}"},
        since_version=rows.CINDER_CHANGES_VERSION,
    ),
    shapes.NETWORK: Source(
        Question("network", "/networks", "networks"),
        rows.Network,
        rows.network,
        changed="updated_at",
        since=lambda when: {"changed_since": when},
    ),
    shapes.PORT: Source(
        Question("network", "/ports", "ports"),
        rows.Port,
        rows.port,
        changed="updated_at",
        since=lambda when: {"changed_since": when},
    ),
    shapes.STACK: Source(
        # Notifications come of nested ones as well.
        Question("orchestration", "/stacks", "stacks", arguments={"show_nested": "true"}),
        rows.Stack,
        rows.stack,
    ),
    shapes.NODE: Source(
        Question("baremetal", "/nodes", "nodes", rows.IRONIC_VERSION, {"detail": "true"}),
        rows.Node,
        rows.node,
        key="uuid",
    ),
}
#: What asks for everybody's, where that has to be said.
EVERYBODYS = {
    shapes.INSTANCE: {"all_tenants": "true"},
    shapes.VOLUME: {"all_tenants": "true"},
    shapes.STACK: {"global_tenant": "true"},
}


class OpenStackPlugin(DeltaPlugin):
    """Lists what runs in a cloud; between two complete polls, what changed where that is offered.

    Nova says what changed and what was deleted, cinder and neutron what changed; the others are
    listed each time, without telling what is gone.
    """

    entity_types = tuple(SOURCES)
    #: The times are those of several machines, of whole seconds, and seen once a transaction ends.
    overlap: ClassVar[float] = 60.0
    options = (
        cfg.ListOpt(
            "types",
            default=list(SOURCES),
            help="What to collect. Leave out the types of services that the cloud does not have.",
        ),
        cfg.StrOpt("cloud", help="The name of the cloud in clouds.yaml."),
        cfg.StrOpt(
            "clouds_file", help="The file clouds.yaml, if it is at none of its usual places."
        ),
        cfg.StrOpt(
            "auth_url", help="Where keystone is; the options below then count, and not clouds.yaml."
        ),
        cfg.StrOpt("user", help="Who asks: an administrator who may only read is enough."),
        cfg.StrOpt("password", secret=True, help="The password of user."),
        cfg.StrOpt("project", help="The project in whose name is asked."),
        cfg.StrOpt("user_domain", default="Default", help="The domain of user."),
        cfg.StrOpt("project_domain", default="Default", help="The domain of project."),
        cfg.StrOpt("region", help="The region, where there are several."),
        cfg.StrOpt("cafile", help="The certificates to trust in place of the system's."),
        cfg.BoolOpt(
            "all_projects",
            default=True,
            help="Whether to ask for what belongs to anybody, which only an administrator may.",
        ),
        cfg.FloatOpt("timeout", default=60.0, min=0.1, help="Seconds to wait for one answer."),
        cfg.IntOpt(
            "page_size",
            default=1000,
            min=1,
            help="How many are asked for at once; a service may give fewer.",
        ),
    )

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        types = tuple(self.option["types"])
        unknown = sorted(set(types) - SOURCES.keys())
        if unknown or not types:
            raise ValueError(
                f"[synchronizer_openstack] types: {', '.join(unknown) or 'nothing'} cannot be "
                f"collected; there are {', '.join(SOURCES)}"
            )
        if self.option["auth_url"] and self.option["cloud"]:
            raise ValueError("[synchronizer_openstack] auth_url and cloud: set only one of them")
        self.entity_types = types
        self._cloud = Cloud(self.option)
        #: {type: when the newest of it changed}: each by the clock of its own service.
        self._newest: dict[str, str] = {}

    def probe(self) -> str:
        """Ask each service for a first page with one entity.

        :raises Incomplete: a service cannot be asked
        """
        asked: list[str] = []
        for source in (SOURCES[type_] for type_ in self._wanted()):
            if NAMES[source.question.service] not in asked:
                next(self._cloud.ask(source.question, source.row, limit=1))
                asked.append(NAMES[source.question.service])
        return f"{', '.join(asked)} answer"

    def close(self) -> None:
        """Close the connections."""
        self._cloud.close()

    def get_all(self) -> Iterator[Item | Rows[Any]]:
        """Yield everything.

        :raises Incomplete: a service cannot be asked
        """
        newest: dict[str, str] = {}
        for type_ in self._wanted():
            yield from self._read(type_, SOURCES[type_].question, newest)
        self._newest = newest

    def get_changes(self, since: float) -> Iterator[Item | Rows[Any]]:  # noqa: ARG002
        """Yield what changed, and all of what cannot say that.

        :param since: not used: it is the newest time of all services, and their clocks differ
        :raises Incomplete: a service cannot be asked
        """
        newest = dict(self._newest)
        for type_ in self._wanted():
            source = SOURCES[type_]
            question, arguments = source.question, {}
            if source.since is not None and type_ in newest:
                arguments = source.since(self._reaching_back(newest[type_]))
                question = question._replace(version=source.since_version or question.version)
            yield from self._read(type_, question, newest, **arguments)
        self._newest = newest

    def _wanted(self) -> list[str]:
        return [type_ for type_ in self.entity_types if type_ in self.context.types]

    def _reaching_back(self, text: str) -> str:
        newest = shapes.when(text) or 0.0
        return datetime.fromtimestamp(newest - self.overlap, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _read(
        self, type_: str, question: Question, newest: dict[str, str], **arguments: str
    ) -> Iterator[Item | Rows[Any]]:
        source = SOURCES[type_]
        if self.option["all_projects"]:
            arguments |= EVERYBODYS.get(type_, {})
        for page in self._cloud.ask(question, source.row, **arguments):
            there = []
            for row in page:
                changed = getattr(row, source.changed) if source.changed else None
                if changed and changed > newest.get(type_, ""):
                    newest[type_] = changed
                if getattr(row, "is_gone", False):
                    yield Deleted(getattr(row, source.key), type_, shapes.when(changed))
                else:
                    there.append(row)
            yield Rows(type_, there, key=attrgetter(source.key), entity=source.entity)
