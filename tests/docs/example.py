"""The incident that docs/alerting.md shows: a real evaluation, diagnosis and notification of synthetic requests."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from alerting.config import AlertingConfig
from alerting.notifications import Notification
from alerting.receivers import alertmanager, webhook
from alerting.routing import Route
from alerting.service import Alerting
from collector.cardinality import CardinalityGuard
from collector.rollup import roll_up
from detectors.diagnosis import diagnose
from detectors.slo.compile import compile_rules
from detectors.slo.engine import Engine
from detectors.slo.parse import parse_slos
from storage.database import Database
from telemetry.clock import ManualClock
from telemetry.columns import Columns, columns_of
from telemetry.windows import NANOS
from tests.alerting.makers import Recorder

SLO: Final = """\
version: 1
slos:
  - name: chat-errors
    service: chat
    sli:
      errors:
    per: [input_type]
    objective: 99.5%
    labels: {team: inference}
    alert: {policy: page-and-ticket, sequential: {severity: page, arl: 300d}}
"""
NOW_S: Final = 1_760_000_000
ONSET_S: Final = NOW_S - 90
EXTERNAL_URL: Final = "https://tailwatch.example.com"


def requests(start_s: int, end_s: int, code_errors: float) -> Columns:
    """Ten requests a second, a quarter of them code, of which a share fails."""
    rng = np.random.default_rng(start_s)
    n = 10 * (end_s - start_s)
    time_ns = (start_s * NANOS + np.arange(n) * (NANOS // 10)).astype(np.int64)
    code = rng.random(n) < 0.25
    failed = rng.random(n) < np.where(code, code_errors, 0.001)
    columns = columns_of(
        "span",
        time_ns,
        start_ns=time_ns - NANOS // 2,
        strings={
            "service": ["chat"] * n,
            "operation": ["chat"] * n,
            "model_version": ["v1"] * n,
            "input_type": np.where(code, "code", "chat").tolist(),
            "error_type": [("tokenizer_error" if bad else None) for bad in failed.tolist()],
        },
        numbers={"duration": rng.gamma(4.0, 0.1, n).tolist(), "tokens_in": rng.integers(20, 200, n).tolist()},
    )
    columns.trace_id[:] = rng.integers(1, 255, (n, 16))
    return columns


@cache
def notification() -> Notification:
    """What a receiver is told when ``input_type=code`` begins to fail."""
    slos = parse_slos([("slos.yaml", SLO)])
    rule = compile_rules(slos.slos[0])[0]
    before, after = requests(ONSET_S - 3600, ONSET_S, 0.001), requests(ONSET_S, NOW_S, 0.4)
    engine = Engine(slos)
    for columns in (before, after):
        engine.ingest_sli(roll_up(columns, [rule], CardinalityGuard(), NOW_S * NANOS).sli)
    now_ns = NOW_S * NANOS
    findings = engine.step(now_ns).findings
    told = Recorder("bridge")
    config = AlertingConfig((told,), Route("bridge"), external_url=EXTERNAL_URL)
    with TemporaryDirectory() as folder, Database(f"sqlite:///{Path(folder) / 'tailwatch.db'}") as database:
        database.upgrade()
        alerting = Alerting(database, config, ManualClock(now_ns))
        alerting.apply(
            findings, lambda _: diagnose("errors", before, after, good=rule.good, onset_ns=ONSET_S * NANOS), now_ns
        )
        alerting.deliver(now_ns)
    return told.heard[0]


def documents() -> Iterator[tuple[str, str]]:
    """Both formats of the notification, as the page shows them."""
    told = notification()
    yield "alertmanager-example", _shown(json.loads(alertmanager.encode(alertmanager.payload(told))))
    yield "rich-example", _shown(webhook.tailwatch(told))


def _shown(document: Any) -> str:
    """JSON with short objects on one line and numbers of four digits, in a fence."""
    text = json.dumps(_rounded(document), indent=2, ensure_ascii=False)
    inner = re.compile(r"([{\[])\n\s+([^{}\[\]]*?)\n\s+([}\]])")
    text = inner.sub(lambda found: shorter if len(shorter := _one_line(found)) <= 112 else found[0], text)
    return f"```json\n{text}\n```"


def _one_line(found: re.Match[str]) -> str:
    return found[1] + re.sub(r",\n\s+", ", ", found[2]) + found[3]


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.4g}") if abs(value) < 1e9 else value
    if isinstance(value, dict):
        return {key: _rounded(entry) for key, entry in value.items()}
    return [_rounded(entry) for entry in value] if isinstance(value, list) else value
