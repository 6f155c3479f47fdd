"""Tables of alerts, incidents, notifications and silences."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

ROW_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    _create_incidents()
    _create_alerts()
    _create_notifications()
    _create_silences()
    _create_posted_alerts()


def _create_incidents() -> None:
    numbers = op.create_table(
        "incident_numbers",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("last", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(numbers, [{"id": 1, "last": 0}])
    op.create_table(
        "incidents",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("slo", sa.Text, nullable=False),
        sa.Column("primary_fingerprint", sa.Text, nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("confidence", sa.Double),
        sa.Column("slice", sa.Text, nullable=False),
        sa.Column("runbook", sa.Text, nullable=False),
        sa.Column("evidence", sa.Text, nullable=False),
        sa.Column("opened_ns", sa.BigInteger, nullable=False),
        sa.Column("onset_ns", sa.BigInteger, nullable=False),
        sa.Column("last_onset_ns", sa.BigInteger, nullable=False),
        sa.Column("acknowledged_ns", sa.BigInteger),
        sa.Column("acknowledged_by", sa.Text),
        sa.Column("assignee", sa.Text),
        sa.Column("resolved_ns", sa.BigInteger),
        sa.Column("resolved_by", sa.Text),
        sa.Column("snoozed_until_ns", sa.BigInteger),
    )
    op.create_index("ix_incidents_status_resolved_ns", "incidents", ["status", "resolved_ns"])
    op.create_table(
        "incident_events",
        sa.Column("id", ROW_ID, primary_key=True, autoincrement=True),
        _incident(nullable=False),
        sa.Column("at_ns", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_index("ix_incident_events_incident", "incident_events", ["incident"])


def _create_alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", ROW_ID, primary_key=True, autoincrement=True),
        sa.Column("fingerprint", sa.Text, nullable=False),
        _incident(),
        sa.Column("labels", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("onset_ns", sa.BigInteger, nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("evidence", sa.Text, nullable=False),
        sa.Column("runbook", sa.Text),
        sa.Column("diagnosis", sa.Text),
        sa.Column("suppressed_by", sa.Text),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("since_ns", sa.BigInteger, nullable=False),
        sa.Column("held_since_ns", sa.BigInteger),
        sa.Column("absent_since_ns", sa.BigInteger),
        sa.Column("fired_ns", sa.BigInteger),
        sa.Column("damped", sa.Boolean, nullable=False),
        sa.UniqueConstraint("incident", "fingerprint", name="uq_alerts_incident_fingerprint"),
    )
    op.create_index("ix_alerts_status", "alerts", ["status"])


def _create_notifications() -> None:
    op.create_table(
        "told",
        _incident(nullable=False),
        sa.Column("receiver", sa.Text, nullable=False),
        sa.Column("group_key", sa.Text, nullable=False),
        sa.Column("phase", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("firing", sa.Text, nullable=False),
        sa.Column("at_ns", sa.BigInteger, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("incident", "receiver", "group_key"),
    )
    op.create_table(
        "outbox",
        sa.Column("id", ROW_ID, primary_key=True, autoincrement=True),
        _incident(nullable=False),
        sa.Column("receiver", sa.Text, nullable=False),
        sa.Column("group_key", sa.Text, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("idempotency_key", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("phase", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("created_ns", sa.BigInteger, nullable=False),
        sa.Column("due_ns", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("leased_until_ns", sa.BigInteger, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("last_error", sa.Text),
        sa.Column("concluded_ns", sa.BigInteger),
        sa.Column("handle", sa.Text),
        sa.UniqueConstraint("incident", "receiver", "group_key", "sequence", name="uq_outbox_sequence"),
        sa.UniqueConstraint("idempotency_key", name="uq_outbox_idempotency_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_outbox_status_receiver_due_ns", "outbox", ["status", "receiver", "due_ns"])


def _create_silences() -> None:
    op.create_table(
        "silences",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("matchers", sa.Text, nullable=False),
        sa.Column("starts_ns", sa.BigInteger, nullable=False),
        sa.Column("ends_ns", sa.BigInteger, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("updated_ns", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_silences_ends_ns", "silences", ["ends_ns"])


def _create_posted_alerts() -> None:
    op.create_table(
        "posted_alerts",
        sa.Column("fingerprint", sa.Text, primary_key=True),
        sa.Column("labels", sa.Text, nullable=False),
        sa.Column("annotations", sa.Text, nullable=False),
        sa.Column("starts_ns", sa.BigInteger, nullable=False),
        sa.Column("ends_ns", sa.BigInteger, nullable=False),
        sa.Column("generator_url", sa.Text, nullable=False),
        sa.Column("updated_ns", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_posted_alerts_ends_ns", "posted_alerts", ["ends_ns"])


def _incident(*, nullable: bool = True) -> sa.Column:
    return sa.Column(
        "incident", sa.BigInteger, sa.ForeignKey("incidents.number", ondelete="CASCADE"), nullable=nullable
    )
