"""Tables of metrics."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

ROW_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "metric_series",
        sa.Column("id", ROW_ID, primary_key=True, autoincrement=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("unit", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("temporality", sa.Text, nullable=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("instance", sa.Text, nullable=False),
        sa.Column("labels", sa.Text, nullable=False),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("bounds", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("seen_ns", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_metric_series_name", "metric_series", ["name"])
    op.create_index("ix_metric_series_seen_ns", "metric_series", ["seen_ns"])
    op.create_table(
        "metric_points",
        sa.Column("id", ROW_ID, primary_key=True, autoincrement=True),
        sa.Column("level", sa.SmallInteger, nullable=False, server_default=sa.text("0")),
        sa.Column("series_id", sa.BigInteger, nullable=False),
        sa.Column("bucket_ns", sa.BigInteger, nullable=False),
        sa.Column("width_ns", sa.BigInteger, nullable=False),
        sa.Column("start_ns", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("ix_metric_points_series_id_bucket_ns", "metric_points", ["series_id", "bucket_ns"])
    op.create_index("ix_metric_points_level_bucket_ns", "metric_points", ["level", "bucket_ns"])
