"""The first tables."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from servicegroup.db.tables import Identifier, Json, Name, Uuid, Words

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_MYSQL: dict[str, Any] = {"mysql_charset": "utf8mb4", "mysql_engine": "InnoDB"}


def upgrade() -> None:
    op.create_table(
        "services",
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
        sa.Column("instance_id", Uuid),
        sa.Column("incarnation", sa.BigInteger, nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("up_since", sa.BigInteger, nullable=False),
        sa.Column("left_at", sa.BigInteger),
        sa.Column("last_seen_at", sa.BigInteger),
        sa.Column("withdrawn", Words),
        sa.Column("withdrawn_at", sa.BigInteger),
        sa.Column("disabled", sa.Boolean, nullable=False),
        sa.Column("disabled_reason", Words),
        sa.Column("forced_down", sa.Boolean, nullable=False),
        sa.Column("forced_down_reason", Words),
        sa.Column("forced_down_at", sa.BigInteger),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger),
        sa.UniqueConstraint("uuid", name="uq_services_uuid"),
        sa.UniqueConstraint("group_id", "member_id", name="uq_services_group_id_member_id"),
        **_MYSQL,
    )
    op.create_index("ix_services_instance_id", "services", ["instance_id"])
    op.create_table(
        "instances",
        sa.Column("instance_id", Uuid, primary_key=True),
        sa.Column("generation", sa.BigInteger, nullable=False),
        sa.Column("beat_at", sa.BigInteger, nullable=False),
        sa.Column("steady_since", sa.BigInteger, nullable=False),
        sa.Column("boot_id", Uuid, nullable=False),
        sa.Column("report_count", sa.BigInteger, nullable=False),
        sa.Column("report_interval", sa.Double, nullable=False),
        sa.Column("hostname", Name, nullable=False),
        sa.Column("process_id", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("ended_reason", Words),
        postgresql_with={"fillfactor": 50},
        **_MYSQL,
    )
    op.create_table(
        "removed",
        sa.Column("group_id", Identifier, primary_key=True),
        sa.Column("member_id", Identifier, primary_key=True),
        sa.Column("instance_id", Uuid, primary_key=True),
        sa.Column("incarnation", sa.BigInteger, nullable=False),
        sa.Column("removed_at", sa.BigInteger, nullable=False),
        **_MYSQL,
    )
