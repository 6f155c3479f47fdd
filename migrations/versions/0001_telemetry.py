"""Tables of telemetry, counters and SLO revisions."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")

STRINGS = (
    "service", "instance", "environment", "region", "operation", "provider", "model", "model_version", "tenant",
    "user", "session", "input_type", "error_type", "finish_reason", "streaming", "cache_hit", "warmup", "prediction",
    "prompt_hash",
)  # fmt: skip
NUMBERS = (
    "tokens_in", "tokens_out", "tokens_cached", "tokens_cache_write", "tokens_reasoning", "ttft", "queue", "prefill",
    "decode", "batch_size", "confidence", "cost", "gpu_seconds", "duration", "tpot",
)  # fmt: skip


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
        "resources",
        sa.Column("id", ROW_ID, primary_key=True, autoincrement=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("seen_ns", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_resources_seen_ns", "resources", ["seen_ns"])
    op.create_table(
        "settings",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )


def _record_columns(*own: sa.Column) -> list[sa.Column]:
    return [
        sa.Column("id", ROW_ID, primary_key=True, autoincrement=True),
        sa.Column("time_ns", sa.BigInteger, nullable=False),
        sa.Column("trace_id", sa.LargeBinary),
        sa.Column("span_id", sa.LargeBinary),
        sa.Column("name", sa.Text),
        sa.Column("is_inference", sa.Boolean, nullable=False),
        sa.Column("resource_id", sa.BigInteger),
        *own,
        *(sa.Column(name, sa.Text) for name in STRINGS),
        *(sa.Column(name, sa.Double) for name in NUMBERS),
        sa.Column("extras", sa.Text),
        sa.Column("raw", sa.LargeBinary),
    ]


def _create_record_tables() -> None:
    op.create_table(
        "spans",
        *_record_columns(
            sa.Column("start_ns", sa.BigInteger, nullable=False), sa.Column("parent_span_id", sa.LargeBinary)
        ),
    )
    op.create_table(
        "inference_logs",
        *_record_columns(sa.Column("embedding", sa.LargeBinary)),
    )
    for table in ("spans", "inference_logs"):
        op.create_index(f"ix_{table}_trace_id", table, ["trace_id"])
        op.create_index(f"ix_{table}_time_ns", table, ["time_ns"])
        op.create_index(f"ix_{table}_service_time_ns", table, ["service", "time_ns"])
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
