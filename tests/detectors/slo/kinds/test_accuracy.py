"""Labels that come in batches: the first of a group is one observation, and says nothing that alerts by itself."""

from __future__ import annotations

import pytest

from detectors.slo.compile import rule_id
from detectors.slo.engine import Engine
from detectors.slo.parse import parse_slos
from telemetry.deltas import SliDelta
from telemetry.windows import NANOS

DAY_NS = 86400 * NANOS
START_NS = 1_700_000_040 * NANOS
LABELS = 1000


@pytest.mark.parametrize(("fair", "alerts_at"), [(0, 2), (10, 1)])
def test_a_first_bad_batch_waits_for_a_second_and_one_after_fair_ones_does_not(fair: int, alerts_at: int) -> None:
    slos = parse_slos(
        [("slos.yaml", "version: 1\nslos: [{name: topics, service: c, sli: {accuracy: {}}, objective: 90%}]\n")]
    )
    engine = Engine(slos)

    def batch(day: int, wrong: int) -> bool:
        at_ns = START_NS + day * DAY_NS
        engine.ingest_sli([SliDelta(rule_id(slos.slos[0]), "{}", at_ns, LABELS - wrong, LABELS)])
        return bool(engine.step(at_ns + 15 * NANOS).findings)

    assert not any(batch(day, 60 + 10 * (day % 4)) for day in range(fair))
    told = [batch(fair + day, LABELS // 2) for day in range(2)]
    assert told.index(True) + 1 == alerts_at
    (status,) = engine.step(START_NS + (fair + 1) * DAY_NS + 20 * NANOS).statuses
    assert status.to_json()["groups"][0]["state"] == "burning"
