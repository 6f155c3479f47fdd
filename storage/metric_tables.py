"""The tables of metrics, on the metadata of ``storage.tables``: what series there are, and their points."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Index, LargeBinary, SmallInteger, Table, Text, text

from storage.tables import BigId, metadata

metric_series: Final = Table(
    "metric_series",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("temporality", Text, nullable=False),
    Column("service", Text, nullable=False),
    Column("instance", Text, nullable=False),
    Column("labels", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("bounds", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("seen_ns", BigInteger, nullable=False),
    Index("ix_metric_series_name", "name"),
    Index("ix_metric_series_seen_ns", "seen_ns"),
)
"""Series by ``telemetry.points.MetricSeries.id``; ``labels`` and ``bounds`` are JSON, ``seen_ns`` is kept roughly."""

metric_points: Final = Table(
    "metric_points",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("level", SmallInteger, nullable=False, server_default=text("0")),
    Column("series_id", BigInteger, nullable=False),
    Column("bucket_ns", BigInteger, nullable=False),
    Column("width_ns", BigInteger, nullable=False),
    Column("start_ns", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("ix_metric_points_series_id_bucket_ns", "series_id", "bucket_ns"),
    Index("ix_metric_points_level_bucket_ns", "level", "bucket_ns"),
)
"""States of points, appended and merged on reading; ``level`` counts how often a row was folded."""
