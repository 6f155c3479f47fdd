"""Response hooks: their runs, and who switched what off."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "hook_runs",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("hook", sa.Text, nullable=False),
        sa.Column(
            "incident", sa.BigInteger, sa.ForeignKey("incidents.number", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("asked_ns", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("sent_ns", sa.BigInteger),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_hook_runs_hook_asked_ns", "hook_runs", ["hook", "asked_ns"])
    op.create_index("ix_hook_runs_incident", "hook_runs", ["incident"])
    op.create_table(
        "hook_switches",
        sa.Column("hook", sa.Text, primary_key=True),
        sa.Column("off", sa.Boolean, nullable=False),
        sa.Column("at_ns", sa.BigInteger, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
    )
