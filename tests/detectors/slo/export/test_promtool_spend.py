"""Prometheus itself evaluates the exported rules of a budget of money, and fires and counts as the engine does."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from detectors.slo.compile import rule_id
from detectors.slo.engine import Engine
from detectors.slo.export.names import BUDGET_REMAINING, SPENT_USD
from detectors.slo.export.prometheus import PrometheusOptions, prometheus_rules
from detectors.slo.spec import SloSet
from telemetry.deltas import SliDelta
from telemetry.rules import MONEY_UNIT
from telemetry.windows import NANOS
from tests.detectors.slo.traffic import T0, slos_of
from tests.external import require_program

STEP_S = 10
EVEN_USD = 1 / 360
"""A step of a budget of 720 US dollars in 30 days, spent evenly."""
DEAR_S, CHEAP_S, END_S = 4200, 5400, 6300
"""After 70 minutes calls cost 80 times what they did, for 20 minutes."""


def spent(step: int) -> float:
    return EVEN_USD * (80 if DEAR_S <= step * STEP_S < CHEAP_S else 1)


@pytest.fixture(scope="module")
def slos() -> SloSet:
    return slos_of("{name: bill, service: chat, sli: {spend: {budget: $720}}, alert: page-only}")


def seen(slos: SloSet) -> dict[int, tuple[frozenset[str], float]]:
    """The long windows whose alerts the engine says hold, and the budget remaining, at every step."""
    engine, found = Engine(slos), {}
    for step in range(END_S // STEP_S):
        amount = round(spent(step) * MONEY_UNIT)
        engine.ingest_sli([SliDelta(rule_id(slos.slos[0]), "{}", T0 + step * STEP_S * NANOS, 0, amount)])
        evaluation = engine.step(T0 + (step + 1) * STEP_S * NANOS)
        windows = frozenset(finding.labels["window"] for finding in evaluation.findings)
        remaining = evaluation.statuses[0].to_json()["groups"][0]["budget_remaining"]
        found[(step + 1) * STEP_S] = windows, remaining
    return found


def test_prometheus_fires_when_the_engine_does(tmp_path: Path, slos: SloSet) -> None:
    promtool = require_program("promtool", "prometheus")
    found = seen(slos)
    hour = [at_s for at_s, (windows, _) in found.items() if "1h" in windows]
    assert DEAR_S < hour[0] < CHEAP_S < hour[-1] < END_S
    certain = [hour[0] - 2 * STEP_S, hour[0] + STEP_S, CHEAP_S, hour[-1] - STEP_S, hour[-1] + 2 * STEP_S]
    rules = prometheus_rules(slos, PrometheusOptions(interval_ns=STEP_S * NANOS))
    (tmp_path / "rules.yaml").write_text(rules.replace("interval: 5m", f"interval: {STEP_S}s"), encoding="utf-8")
    cheap, dear = f"{EVEN_USD:.12g}", f"{80 * EVEN_USD:.12g}"
    steps = (DEAR_S // STEP_S, (CHEAP_S - DEAR_S) // STEP_S, (END_S - CHEAP_S) // STEP_S)
    before = EVEN_USD * steps[0]
    after = before + 80 * EVEN_USD * steps[1]
    course = (
        f"0+{cheap}x{steps[0]} {before + 80 * EVEN_USD:.12g}+{dear}x{steps[1] - 1}"
        f" {after + EVEN_USD:.12g}+{cheap}x{steps[2] - 1}"
    )
    firing = 'count by (window) (ALERTS{alertstate="firing",window="1h"})'
    checks = [
        {
            "expr": firing, "eval_time": f"{at_s}s",
            "exp_samples": [{"labels": '{window="1h"}', "value": 1}] if "1h" in found[at_s][0] else [],
        }
        for at_s in certain
    ]  # fmt: skip
    remaining = found[END_S][1]
    checks.append(
        {
            "expr": f"abs({BUDGET_REMAINING} - {remaining:.9f}) < bool 0.001", "eval_time": f"{END_S}s",
            "exp_samples": [{"labels": '{slo="bill",service="chat",window="30d"}', "value": 1}],
        }
    )  # fmt: skip
    series = [{"series": f'{SPENT_USD}{{slo="bill",service="chat"}}', "values": course}]
    document = {
        "rule_files": ["rules.yaml"], "evaluation_interval": f"{STEP_S}s",
        "tests": [{"interval": f"{STEP_S}s", "input_series": series, "promql_expr_test": checks}],
    }  # fmt: skip
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    done = subprocess.run(
        [promtool, "test", "rules", str(tmp_path / "tests.yaml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
