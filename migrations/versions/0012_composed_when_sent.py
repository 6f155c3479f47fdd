"""Notifications are put together when they are sent; only what cannot be had then any more is stored."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("outbox", sa.Column("message", sa.Text))
    op.add_column("outbox", sa.Column("figures", sa.Text))
    op.execute("UPDATE outbox SET message = body WHERE status IN ('pending', 'failed')")
    op.drop_column("outbox", "body")
    op.add_column("incident_numbers", sa.Column("revision", sa.BigInteger, nullable=False, server_default=sa.text("0")))
