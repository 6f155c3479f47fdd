"""Whether the request that a label judges was found."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("feedback", sa.Column("outcome", sa.Text))
    waiting = sa.text("outcome IS NULL")
    op.create_index("ix_feedback_waiting", "feedback", ["id"], sqlite_where=waiting, postgresql_where=waiting)
