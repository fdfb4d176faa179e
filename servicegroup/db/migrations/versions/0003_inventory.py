"""Nodes and hypervisors."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from servicegroup.db.tables import Identifier, Json, Name, Place, Uuid

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_MYSQL: dict[str, Any] = {"mysql_charset": "utf8mb4", "mysql_engine": "InnoDB"}


def upgrade() -> None:
    op.create_table(
        "nodes",
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
        sa.UniqueConstraint("uuid", name="uq_nodes_uuid"),
        sa.UniqueConstraint("name", name="uq_nodes_name"),
        **_MYSQL,
    )
    op.create_index("ix_nodes_place", "nodes", ["conductor_group", "driver", "position"])
    op.create_table(
        "hypervisors",
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
        sa.UniqueConstraint("uuid", name="uq_hypervisors_uuid"),
        sa.UniqueConstraint("hypervisor_hostname", name="uq_hypervisors_hypervisor_hostname"),
        **_MYSQL,
    )
