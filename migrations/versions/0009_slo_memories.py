"""What evaluations know beyond the counts: how errors cluster, alarms of days, alerts that held."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "slo_memories",
        sa.Column("layout", sa.Text, primary_key=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
