"""The tables of telemetry and counters, as SQLAlchemy Core; the migrations create them, and a test holds both equal.

Conventions: times are int64 nanoseconds since the epoch (``*_ns``), durations seconds, money US dollars. A
missing value is NULL.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""Every table of Tailwatch is declared on this."""

BigId: Final = BigInteger().with_variant(Integer, "sqlite")
"""A 64-bit row number: SQLite makes one for ``INTEGER PRIMARY KEY`` only."""


payloads: Final = Table(
    "payloads",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("received_ns", BigInteger, nullable=False),
    Index("ix_payloads_received_ns", "received_ns"),
    sqlite_with_rowid=False,
)
"""Digests of the request bodies that were counted: a repeat is found here."""

record_blocks: Final = Table(
    "record_blocks",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("signal", Text, nullable=False),
    Column("level", SmallInteger, nullable=False),
    Column("start_ns", BigInteger, nullable=False),
    Column("end_ns", BigInteger, nullable=False),
    Column("records", BigInteger, nullable=False),
    Column("services", Text),
    Column("trace_filter", LargeBinary),
    Column("columns", LargeBinary, nullable=False),
    Column("raw", LargeBinary),
    Index("ix_record_blocks_signal_end_ns_start_ns", "signal", "end_ns", "start_ns"),
    Index("ix_record_blocks_level_signal_start_ns", "level", "signal", "start_ns"),
    sqlite_autoincrement=True,
)
"""Spans and inference logs, many a row (``storage.blocks``). On PostgreSQL it is partitioned by days of ``end_ns``,
for which its primary key there ends with ``end_ns``. A number is never used again, so that who read a block before can
tell that it is gone."""

feedback: Final = Table(
    "feedback",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("time_ns", BigInteger, nullable=False),
    Column("trace_id", LargeBinary, nullable=False),
    Column("span_id", LargeBinary, nullable=False),
    Column("label", Text),
    Column("correct", Boolean),
    Column("score", Double),
    Column("outcome", Text),
    Index("ix_feedback_trace_id", "trace_id"),
    Index("ix_feedback_time_ns", "time_ns"),
    Index(
        "ix_feedback_waiting", "id",
        sqlite_where=text("outcome IS NULL"), postgresql_where=text("outcome IS NULL"),
    ),
)  # fmt: skip
"""Labels that arrive after the request that they judge; ``outcome`` is NULL until that is found or given up."""


def _delta_columns() -> list[Column[Any]]:
    """Key and provenance of a counter's increment."""
    return [
        Column("id", BigId, primary_key=True, autoincrement=True),
        Column("transaction_id", BigInteger, nullable=False, server_default=text("0")),
        Column("level", SmallInteger, nullable=False, server_default=text("0")),
        Column("rule", Text, nullable=False),
        Column("group_key", Text, nullable=False),
        Column("bucket_ns", BigInteger, nullable=False),
        Column("width_ns", BigInteger, nullable=False),
    ]


def _delta_indices(table: str) -> list[Index]:
    return [
        Index(f"ix_{table}_rule_bucket_ns", "rule", "bucket_ns"),
        Index(f"ix_{table}_level_bucket_ns", "level", "bucket_ns"),
        Index(f"ix_{table}_transaction_id", "transaction_id", postgresql_where=text("level = 0")).ddl_if(
            dialect="postgresql"
        ),
    ]


sli_deltas: Final = Table(
    "sli_deltas",
    metadata,
    *_delta_columns(),
    Column("good", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False),
    *_delta_indices("sli_deltas"),
    sqlite_autoincrement=True,
)
"""Increments of good and total events; ``level`` counts how often a row was folded into a wider bucket."""

distribution_deltas: Final = Table(
    "distribution_deltas",
    metadata,
    *_delta_columns(),
    Column("field", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    *_delta_indices("distribution_deltas"),
    sqlite_autoincrement=True,
)
"""Increments of distributions: ``kind`` is ``sketch`` (DDSketch bytes) or ``counts`` (a JSON object)."""

slo_revisions: Final = Table(
    "slo_revisions",
    metadata,
    Column("name", Text, nullable=False),
    Column("revision", Text, nullable=False),
    Column("meaning", Text, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("backfilled_ns", BigInteger),
    PrimaryKeyConstraint("name", "revision"),
)
"""Every meaning that an SLO ever had, and when its counters were filled from stored rows; NULL while they lack some."""

slo_statuses: Final = Table(
    "slo_statuses",
    metadata,
    Column("slo", Text, primary_key=True),
    Column("body", Text, nullable=False),
    Column("evaluated_ns", BigInteger, nullable=False),
)
"""The last evaluation of every SLO as JSON, shown until the first one after a start."""

slo_memories: Final = Table(
    "slo_memories", metadata, Column("layout", Text, primary_key=True), Column("body", LargeBinary, nullable=False)
)
"""What evaluations know beyond the counts, for the first one after a start."""

settings: Final = Table(
    "settings",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
"""What an installation must remember about itself."""

collectors: Final = Table(
    "collectors",
    metadata,
    Column("id", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("version", Text, nullable=False),
    Column("started_ns", BigInteger, nullable=False),
    Column("rules", Text, nullable=False),
    Column("seen_ns", BigInteger, nullable=False),
)
"""The processes that count into the database; ``rules`` is a JSON list of what each counts."""

corrections: Final = Table(
    "corrections",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("start_ns", BigInteger, nullable=False),
    Column("end_ns", BigInteger, nullable=False),
    Column("slos", Text, nullable=False),
    Column("matchers", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)
"""Times that count in no budget; ``slos`` and ``matchers`` are JSON lists. The database refuses to change a row."""

correction_cancellations: Final = Table(
    "correction_cancellations",
    metadata,
    Column("correction", BigInteger, ForeignKey("corrections.id"), primary_key=True, autoincrement=False),
    Column("author", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("cancelled_ns", BigInteger, nullable=False),
)
"""Corrections that were taken back, each once. The database refuses to change a row."""

audit_log: Final = Table(
    "audit_log",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("at_ns", BigInteger, nullable=False, index=True),
    Column("actor", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", Text, nullable=False),
    sqlite_autoincrement=True,
)
"""Every change that somebody made; ``detail`` is a JSON object. The database refuses to change a row."""

tokens: Final = Table(
    "tokens",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("created_ns", BigInteger, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("expires_ns", BigInteger),
    Column("last_used_ns", BigInteger),
    Column("revoked_ns", BigInteger),
    sqlite_autoincrement=True,
)
"""Who may use the service; ``digest`` is the SHA-256 of a secret, ``scopes`` a JSON list. Rows are never deleted."""
