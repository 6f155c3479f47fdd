"""Into which incident another was merged, how often alerts came back, and how grave notifications were."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("incidents", sa.Column("merged_into", sa.BigInteger))
    op.add_column("incident_events", sa.Column("origin", sa.BigInteger))
    op.create_index("ix_incident_events_origin", "incident_events", ["origin"])
    op.create_index("ix_incidents_opened_ns", "incidents", ["opened_ns"])
    op.add_column("alerts", sa.Column("returns", sa.Integer, nullable=False, server_default=sa.text("0")))
    op.add_column("outbox", sa.Column("severity", sa.Text, nullable=False, server_default=sa.text("'page'")))
    op.create_index("ix_outbox_concluded_ns", "outbox", ["concluded_ns"])
    op.execute(
        "UPDATE outbox SET severity = 'ticket' "
        "WHERE incident IN (SELECT number FROM incidents WHERE severity = 'ticket')"
    )
