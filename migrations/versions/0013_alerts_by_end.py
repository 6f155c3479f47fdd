"""What has only just ended is found among all alerts by an index: it is looked for every few seconds."""

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_index("ix_alerts_status_since_ns", "alerts", ["status", "since_ns"])
    op.drop_index("ix_alerts_status", table_name="alerts")
