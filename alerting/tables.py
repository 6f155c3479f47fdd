"""The tables of alerts, incidents and notifications; they hold no rule of what may be in them."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from storage.tables import metadata

_ROW_ID: Final = BigInteger().with_variant(Integer, "sqlite")

incident_numbers: Final = Table(
    "incident_numbers",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("last", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False, server_default=text("0")),
)
"""One row: the last number given out, and how often alerts, incidents or what was told have changed.

Whoever changes them counts here, and so locks the row: changes take turns.
"""

incidents: Final = Table(
    "incidents",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("title", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("service", Text, nullable=False),
    Column("slo", Text, nullable=False),
    Column("primary_fingerprint", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("confidence", Double),
    Column("slice", Text, nullable=False),
    Column("runbook", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("opened_ns", BigInteger, nullable=False),
    Column("onset_ns", BigInteger, nullable=False),
    Column("last_onset_ns", BigInteger, nullable=False),
    Column("acknowledged_ns", BigInteger),
    Column("acknowledged_by", Text),
    Column("assignee", Text),
    Column("resolved_ns", BigInteger),
    Column("resolved_by", Text),
    Column("snoozed_until_ns", BigInteger),
    Column("merged_into", BigInteger),
    Index("ix_incidents_status_resolved_ns", "status", "resolved_ns"),
    Index("ix_incidents_opened_ns", "opened_ns"),
)

alerts: Final = Table(
    "alerts",
    metadata,
    Column("id", _ROW_ID, primary_key=True, autoincrement=True),
    Column("fingerprint", Text, nullable=False),
    Column("incident", BigInteger, ForeignKey("incidents.number", ondelete="CASCADE")),
    Column("labels", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("onset_ns", BigInteger, nullable=False),
    Column("summary", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("runbook", Text),
    Column("diagnosis", Text),
    Column("suppressed_by", Text),
    Column("status", Text, nullable=False),
    Column("since_ns", BigInteger, nullable=False),
    Column("held_since_ns", BigInteger),
    Column("absent_since_ns", BigInteger),
    Column("fired_ns", BigInteger),
    Column("damped", Boolean, nullable=False),
    Column("returns", Integer, nullable=False, server_default=text("0")),
    UniqueConstraint("incident", "fingerprint", name="uq_alerts_incident_fingerprint"),
    Index("ix_alerts_status_since_ns", "status", "since_ns"),
)

incident_events: Final = Table(
    "incident_events",
    metadata,
    Column("id", _ROW_ID, primary_key=True, autoincrement=True),
    Column("incident", BigInteger, ForeignKey("incidents.number", ondelete="CASCADE"), nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("origin", BigInteger),
    Index("ix_incident_events_incident", "incident"),
    Index("ix_incident_events_origin", "origin"),
)
"""Timelines; ``origin`` is the merged incident in which it happened, where that is not ``incident``."""

told: Final = Table(
    "told",
    metadata,
    Column("incident", BigInteger, ForeignKey("incidents.number", ondelete="CASCADE"), primary_key=True),
    Column("receiver", Text, primary_key=True),
    Column("group_key", Text, primary_key=True),
    Column("phase", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("firing", Text, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("sequence", BigInteger, nullable=False),
)
"""What each receiver was last told of each group of an incident's alerts."""

outbox: Final = Table(
    "outbox",
    metadata,
    Column("id", _ROW_ID, primary_key=True, autoincrement=True),
    Column("incident", BigInteger, ForeignKey("incidents.number", ondelete="CASCADE"), nullable=False),
    Column("receiver", Text, nullable=False),
    Column("group_key", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("idempotency_key", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("severity", Text, nullable=False, server_default=text("'page'")),
    Column("phase", Text, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("due_ns", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("leased_until_ns", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("last_error", Text),
    Column("concluded_ns", BigInteger),
    Column("handle", Text),
    Column("message", Text),
    Column("figures", Text),
    UniqueConstraint("incident", "receiver", "group_key", "sequence", name="uq_outbox_sequence"),
    UniqueConstraint("idempotency_key", name="uq_outbox_idempotency_key"),
    Index("ix_outbox_status_receiver_due_ns", "status", "receiver", "due_ns"),
    Index("ix_outbox_concluded_ns", "concluded_ns"),
    sqlite_autoincrement=True,
)
"""Notifications to deliver. ``receiver`` is a receiver's name and kind, ``oncall/slack``; ``status`` is ``pending``,
``delivered``, ``failed`` or ``superseded``; ``handle`` is what the receiver calls the message; ``message`` what
is told, where that cannot be put together from what is stored when it is sent; ``figures`` budget and burn of then."""

silences: Final = Table(
    "silences",
    metadata,
    Column("id", Text, primary_key=True),
    Column("matchers", Text, nullable=False),
    Column("starts_ns", BigInteger, nullable=False),
    Column("ends_ns", BigInteger, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("comment", Text, nullable=False),
    Column("updated_ns", BigInteger, nullable=False),
    Index("ix_silences_ends_ns", "ends_ns"),
)
"""Who keeps what quiet; ``matchers`` is a JSON list of name, operator and value."""

posted_alerts: Final = Table(
    "posted_alerts",
    metadata,
    Column("fingerprint", Text, primary_key=True),
    Column("labels", Text, nullable=False),
    Column("annotations", Text, nullable=False),
    Column("starts_ns", BigInteger, nullable=False),
    Column("ends_ns", BigInteger, nullable=False),
    Column("generator_url", Text, nullable=False),
    Column("updated_ns", BigInteger, nullable=False),
    Index("ix_posted_alerts_ends_ns", "ends_ns"),
)
"""Alerts that others evaluate and post."""

hook_runs: Final = Table(
    "hook_runs",
    metadata,
    Column("id", _ROW_ID, primary_key=True, autoincrement=True),
    Column("hook", Text, nullable=False),
    Column("incident", BigInteger, ForeignKey("incidents.number", ondelete="CASCADE"), nullable=False),
    Column("event", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("asked_ns", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("note", Text, nullable=False),
    Column("sent_ns", BigInteger),
    Index("ix_hook_runs_hook_asked_ns", "hook", "asked_ns"),
    Index("ix_hook_runs_incident", "incident"),
    sqlite_autoincrement=True,
)
"""Runs of response hooks; ``state`` is one of ``alerting.hooks.runs.State``, ``note`` why, or what was answered."""

hook_switches: Final = Table(
    "hook_switches",
    metadata,
    Column("hook", Text, primary_key=True),
    Column("off", Boolean, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("author", Text, nullable=False),
    Column("comment", Text, nullable=False),
)
"""What people last said about a hook, or about all of them (``*``): whether it is off."""
