"""Tables of telemetry, counters and SLO revisions."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")

def upgrade() -> None:
    _create_intake_tables()
    _create_record_tables()
    _create_delta_tables()
    _create_slo_tables()


def _create_intake_tables() -> None:
    op.create_table(
        "payloads",
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("received_ns", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_payloads_received_ns", "payloads", ["received_ns"])
    op.create_table(
        "settings",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )


def _create_record_tables() -> None:
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    op.create_table(
        "record_blocks",
        sa.Column("id", ROW_ID, primary_key=True, autoincrement=True),
        sa.Column("signal", sa.Text, nullable=False),
        sa.Column("level", sa.SmallInteger, nullable=False),
        sa.Column("start_ns", sa.BigInteger, nullable=False),
        sa.Column("end_ns", sa.BigInteger, nullable=False, primary_key=on_postgresql, autoincrement=False),
        sa.Column("records", sa.BigInteger, nullable=False),
        sa.Column("services", sa.Text),
        sa.Column("trace_filter", sa.LargeBinary),
        sa.Column("columns", sa.LargeBinary, nullable=False),
        sa.Column("raw", sa.LargeBinary),
        sqlite_autoincrement=True,
        postgresql_partition_by="RANGE (end_ns)",
    )
    for columns in (["signal", "end_ns", "start_ns"], ["level", "signal", "start_ns"]):
        op.create_index(f"ix_record_blocks_{'_'.join(columns)}", "record_blocks", columns)
    if on_postgresql:
        # Compressed already; and a part of a filter is read without the rest of it only where it is not compressed.
        for column in ("trace_filter", "columns", "raw"):
            op.execute(f"ALTER TABLE record_blocks ALTER COLUMN {column} SET STORAGE EXTERNAL")
        op.execute("CREATE TABLE record_blocks_default PARTITION OF record_blocks DEFAULT")
    op.create_table(
        "feedback",
        sa.Column("id", ROW_ID, primary_key=True, autoincrement=True),
        sa.Column("time_ns", sa.BigInteger, nullable=False),
        sa.Column("trace_id", sa.LargeBinary, nullable=False),
        sa.Column("span_id", sa.LargeBinary, nullable=False),
        sa.Column("label", sa.Text),
        sa.Column("correct", sa.Boolean),
        sa.Column("score", sa.Double),
    )
    op.create_index("ix_feedback_trace_id", "feedback", ["trace_id"])
    op.create_index("ix_feedback_time_ns", "feedback", ["time_ns"])


def _delta_columns() -> list[sa.Column]:
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    # The number of the inserting transaction, by which a reader tells what it has seen (storage/positions.py).
    transaction_id = sa.text("pg_current_xact_id()::text::bigint" if on_postgresql else "0")
    return [
        sa.Column("id", ROW_ID, primary_key=True, autoincrement=True),
        sa.Column("transaction_id", sa.BigInteger, nullable=False, server_default=transaction_id),
        sa.Column("level", sa.SmallInteger, nullable=False, server_default=sa.text("0")),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("group_key", sa.Text, nullable=False),
        sa.Column("bucket_ns", sa.BigInteger, nullable=False),
        sa.Column("width_ns", sa.BigInteger, nullable=False),
    ]


def _create_delta_tables() -> None:
    op.create_table(
        "sli_deltas",
        *_delta_columns(),
        sa.Column("good", sa.BigInteger, nullable=False),
        sa.Column("total", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "distribution_deltas",
        *_delta_columns(),
        sa.Column("field", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sqlite_autoincrement=True,
    )
    for table in ("sli_deltas", "distribution_deltas"):
        op.create_index(f"ix_{table}_rule_bucket_ns", table, ["rule", "bucket_ns"])
        op.create_index(f"ix_{table}_level_bucket_ns", table, ["level", "bucket_ns"])
        if op.get_bind().dialect.name == "postgresql":
            op.create_index(
                f"ix_{table}_transaction_id", table, ["transaction_id"], postgresql_where=sa.text("level = 0")
            )


def _create_slo_tables() -> None:
    op.create_table(
        "slo_revisions",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("revision", sa.Text, nullable=False),
        sa.Column("meaning", sa.Text, nullable=False),
        sa.Column("created_ns", sa.BigInteger, nullable=False),
        sa.Column("backfilled_ns", sa.BigInteger),
        sa.PrimaryKeyConstraint("name", "revision"),
    )
    op.create_table(
        "slo_statuses",
        sa.Column("slo", sa.Text, primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("evaluated_ns", sa.BigInteger, nullable=False),
    )
