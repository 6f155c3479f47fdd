"""SLOs declared in text, and telemetry stored as the collector stores it, for tests without a server process."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from collector.pipeline import Pipeline
from collector.request import Prepared, Request
from detectors.slo.parse import load_slos
from detectors.slo.spec import SloSet
from storage.database import Database
from storage.ingest import commit
from telemetry.rules import SERIES_RULE, RollupRule
from telemetry.windows import NANOS
from tests.tailwatch.running import traces

START_NS = 1_700_000_040 * NANOS
"""The start of a minute."""
MINUTE_NS = 60 * NANOS

AVAILABILITY = """
  - name: availability
    service: chat
    sli: {errors: {}}
    per: [model]
    objective: 99%
    alert: page-and-ticket
"""
TAIL = """
  - name: tail
    service: chat
    sli: {quantile: {measure: duration, quantile: p90, below: 1s, slice: 1m, min_events: 10}}
    objective: 95%
    alert: ticket-only
"""
DRIFT = """
  - name: inputs
    service: chat
    sli: {drift: {fields: [tokens_in], reference: {first: 200}, slice: 1m, min_events: 20}}
    objective: 95%
    alert: ticket-only
"""

_ids = itertools.count(1, 1_000_000)


def prepare(pipeline: Pipeline, request: Request, now_ns: int) -> Prepared:
    """What a lone request commits."""
    return pipeline.prepare(request.kind, [pipeline.unpack(request)], now_ns)


def slo_file(folder: Path, *declared: str) -> Path:
    """A file with these SLOs."""
    path = folder / "declared.yaml"
    path.write_text("version: 1\nslos:" + ("".join(declared) or " []\n"), encoding="utf-8")
    return path


def slo_set(folder: Path, *declared: str) -> SloSet:
    """These SLOs, parsed."""
    return load_slos([slo_file(folder, *declared)])


def store(
    database: Database, rules: tuple[RollupRule, ...], count: int, *, at_ns: int, now_ns: int = 0, **options: Any
) -> bytes:
    """Commit ``count`` spans that ended at ``at_ns`` as one request, and return its body."""
    body = traces(count, end_ns=at_ns, first_id=next(_ids), **options)
    pipeline = Pipeline(rules=(SERIES_RULE, *rules))
    prepared = prepare(pipeline, Request("span", "protobuf", body), now_ns or at_ns)
    assert prepared.tallies[0].report.rejections.total == 0
    assert prepared.payload is not None
    commit(database, [prepared.payload], now_ns or at_ns)
    return body
