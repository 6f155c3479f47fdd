"""The gate's promise by simulation: quiet groups at their objective page under the plain rule and not through the gate.

Prototypes gave 7.65 plain and 0.00 gated false pages per 30 days at 10 requests an hour; here 60 groups run for a day
and a half at once, evaluated every five minutes.
"""

from __future__ import annotations

import numpy as np

from detectors.slo.engine import Engine
from telemetry.findings import Finding
from telemetry.windows import parse_duration as ns
from tests.detectors.slo.traffic import T0, errors_slo, row

GROUPS = [str(i) for i in range(60)]
ALERT = "alert: {burn: [{severity: page, long: 1h, factor: 14.4}], gate: GATE}"
STEPS = 36 * 12
PER_HOUR = 10


def pages(gate: str, *, error_rate: float, seed: int, steps: int = STEPS) -> list[tuple[int, Finding]]:
    """(step, finding) of every page that begins."""
    rng = np.random.default_rng(seed)
    engine = Engine(errors_slo("99.9%", f", {ALERT.replace('GATE', gate)}"))
    begun: list[tuple[int, Finding]] = []
    before: set[str] = set()
    for step in range(steps):
        now_ns = T0 + step * ns("5m")
        total = rng.poisson(PER_HOUR / 12, len(GROUPS))
        bad = rng.binomial(total, error_rate)
        engine.ingest_sli(
            row(engine.slos, now_ns, int(b), int(n), group) for group, b, n in zip(GROUPS, bad, total, strict=True) if n
        )
        found = {finding.fingerprint: finding for finding in engine.step(now_ns).findings}
        begun += [(step, finding) for key, finding in found.items() if key not in before]
        before = set(found)
    return begun


def test_at_the_objective_the_plain_rule_pages_and_the_gate_holds_it():
    plain, gated = (pages(gate, error_rate=0.001, seed=21) for gate in ("off", "on"))
    # Windows that exist only in part are held by their own rule, so the plain pages come after the first hour.
    per_30_days = len(plain) / (STEPS / 288 * len(GROUPS)) * 30
    assert 3 < per_30_days < 14
    assert gated == []


def test_what_is_really_broken_pages_through_the_gate():
    """A young group at ten requests an hour has ten failures to show first: about an hour."""
    broken = pages("on", error_rate=1.0, seed=22, steps=24)
    assert {finding.labels["input_type"] for _, finding in broken} == set(GROUPS)
    first = [min(step for step, finding in broken if finding.labels["input_type"] == group) for group in GROUPS]
    assert np.median(first) * 5 <= 75
