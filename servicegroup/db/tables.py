"""The tables. Changed only together with a migration; a test compares the two."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

#: The revision of the newest migration under ``migrations/versions``.
HEAD = "0003"
VERSION_TABLE = "servicegroup_version"

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: Bytes of 255 characters of UTF-8.
_ID_BYTES = 255 * 4


class Identifier(sa.types.TypeDecorator[str]):
    """Any text, compared byte for byte.

    Every collation of MySQL and MariaDB merges some ids (letter case, accents, trailing blanks),
    so they are bytes there. PostgreSQL compares and sorts by bytes under the collation "C".
    """

    impl = sa.Unicode(255)
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        """Choose the column type that compares bytes."""
        if dialect.name in ("mysql", "mariadb"):
            return dialect.type_descriptor(mysql.VARBINARY(_ID_BYTES))
        if dialect.name == "postgresql":
            return dialect.type_descriptor(sa.Unicode(255, collation="C"))
        return dialect.type_descriptor(sa.Unicode(255))

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> Any:
        """Encode for databases that keep bytes."""
        if value is not None and dialect.name in ("mysql", "mariadb"):
            return value.encode()
        return value

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> str | None:  # noqa: ARG002
        """Give the same text back."""
        return value.decode() if isinstance(value, bytes) else value


Uuid = sa.String(36).with_variant(
    mysql.VARCHAR(36, charset="ascii", collation="ascii_bin"), "mysql", "mariadb"
)
#: 64 KiB of JSON is one byte more than MySQL's TEXT holds.
Json = sa.Text().with_variant(mysql.MEDIUMTEXT(charset="utf8mb4"), "mysql", "mariadb")
Words = sa.Text().with_variant(mysql.TEXT(charset="utf8mb4"), "mysql", "mariadb")
Name = sa.Unicode(255).with_variant(mysql.VARCHAR(255, charset="utf8mb4"), "mysql", "mariadb")

#: A position on the ring, compared byte for byte.
Place = sa.LargeBinary(16).with_variant(mysql.BINARY(16), "mysql", "mariadb")

# Columns whose names end in "_at" without comment hold wall time in microseconds since 1970, for
# people. Those marked "clock" hold the store's own clock, and only they are ever compared.
services = sa.Table(
    "services",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("uuid", Uuid, nullable=False),
    sa.Column("group_id", Identifier, nullable=False),
    sa.Column("member_id", Identifier, nullable=False),
    sa.Column("name", Name, nullable=False),
    sa.Column("hostname", Name, nullable=False),
    sa.Column("process_id", sa.BigInteger, nullable=False),
    sa.Column("attributes", Json, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("instance_id", Uuid, index=True),
    sa.Column("incarnation", sa.BigInteger, nullable=False),
    sa.Column("started_at", sa.BigInteger, nullable=False),
    sa.Column("up_since", sa.BigInteger, nullable=False),  # clock
    sa.Column("left_at", sa.BigInteger),
    sa.Column("last_seen_at", sa.BigInteger),
    sa.Column("withdrawn", Words),
    sa.Column("withdrawn_at", sa.BigInteger),
    sa.Column("flaps", Json),
    sa.Column("disabled", sa.Boolean, nullable=False),
    sa.Column("disabled_reason", Words),
    sa.Column("forced_down", sa.Boolean, nullable=False),
    sa.Column("forced_down_reason", Words),
    sa.Column("forced_down_at", sa.BigInteger),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger),
    sa.UniqueConstraint("uuid"),
    sa.UniqueConstraint("group_id", "member_id"),
    mysql_charset="utf8mb4",
    mysql_engine="InnoDB",
)

#: One row a process, and all that a beat writes. No index on the beat: updates stay in place.
instances = sa.Table(
    "instances",
    metadata,
    sa.Column("instance_id", Uuid, primary_key=True),
    sa.Column("generation", sa.BigInteger, nullable=False),
    sa.Column("beat_at", sa.BigInteger, nullable=False),  # clock
    sa.Column("steady_since", sa.BigInteger, nullable=False),  # clock
    sa.Column("boot_id", Uuid, nullable=False),
    sa.Column("report_count", sa.BigInteger, nullable=False),
    sa.Column("report_interval", sa.Double, nullable=False),
    sa.Column("hostname", Name, nullable=False),
    sa.Column("process_id", sa.BigInteger, nullable=False),
    sa.Column("ended_at", sa.BigInteger),  # clock
    sa.Column("ended_reason", Words),
    mysql_charset="utf8mb4",
    mysql_engine="InnoDB",
    postgresql_with={"fillfactor": 50},
)

#: Tombstones: which life of a member was taken out by somebody else and leaves no record.
removed = sa.Table(
    "removed",
    metadata,
    sa.Column("group_id", Identifier, primary_key=True),
    sa.Column("member_id", Identifier, primary_key=True),
    sa.Column("instance_id", Uuid, primary_key=True),
    sa.Column("incarnation", sa.BigInteger, nullable=False),
    sa.Column("removed_at", sa.BigInteger, nullable=False),
    mysql_charset="utf8mb4",
    mysql_engine="InnoDB",
)

#: The bare-metal nodes, each with its position on the ring: those of a conductor by index.
nodes = sa.Table(
    "nodes",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("uuid", Uuid, nullable=False),
    sa.Column("name", Identifier),
    sa.Column("driver", Identifier, nullable=False),
    sa.Column("conductor_group", Identifier, nullable=False),
    sa.Column("power_state", Identifier),
    sa.Column("provision_state", Identifier),
    sa.Column("maintenance", sa.Boolean, nullable=False),
    sa.Column("instance_uuid", Identifier),
    sa.Column("position", Place, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger),
    sa.UniqueConstraint("uuid"),
    sa.UniqueConstraint("name"),
    sa.Index("ix_nodes_place", "conductor_group", "driver", "position"),
    mysql_charset="utf8mb4",
    mysql_engine="InnoDB",
)

hypervisors = sa.Table(
    "hypervisors",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("uuid", Uuid, nullable=False),
    sa.Column("hypervisor_hostname", Identifier, nullable=False),
    sa.Column("host", Identifier, nullable=False),
    sa.Column("hypervisor_type", Name),
    sa.Column("hypervisor_version", sa.BigInteger),
    sa.Column("host_ip", Name),
    sa.Column("vcpus", sa.BigInteger),
    sa.Column("vcpus_used", sa.BigInteger),
    sa.Column("memory_mb", sa.BigInteger),
    sa.Column("memory_mb_used", sa.BigInteger),
    sa.Column("free_ram_mb", sa.BigInteger),
    sa.Column("local_gb", sa.BigInteger),
    sa.Column("local_gb_used", sa.BigInteger),
    sa.Column("free_disk_gb", sa.BigInteger),
    sa.Column("disk_available_least", sa.BigInteger),
    sa.Column("running_vms", sa.BigInteger),
    sa.Column("current_workload", sa.BigInteger),
    sa.Column("cpu_info", Json),
    sa.Column("pci_stats", Json),
    sa.UniqueConstraint("uuid"),
    sa.UniqueConstraint("hypervisor_hostname"),
    mysql_charset="utf8mb4",
    mysql_engine="InnoDB",
)
