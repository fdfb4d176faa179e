"""How often a member came back lately."""

import sqlalchemy as sa
from alembic import op

from servicegroup.db.tables import Json

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("services", sa.Column("flaps", Json))
