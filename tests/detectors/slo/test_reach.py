"""What quiet services are told they can notice is what the sequential test then notices."""

from __future__ import annotations

import pytest

from detectors.slo.evidence import MIN_BAD_EVENTS, NO_ALARM, Evidence
from detectors.slo.ledger import Ledger
from detectors.slo.reach import Reach
from telemetry.deltas import SliDelta
from telemetry.windows import BUCKET_NS
from telemetry.windows import parse_duration as ns

T0 = 1_700_006_400_000_000_000


def reach(per_hour: float) -> Reach:
    return Reach(0.001, ns("300d"), MIN_BAD_EVENTS, ns("1h") / per_hour)


def evidence_after(bad: list[int], gap: str) -> bool:
    """Whether single events, ``gap`` apart, raise the alarm of a group whose errors are known to be independent."""
    ledger, evidence = Ledger(ns("1d")), Evidence(0.001, ns("300d"), BUCKET_NS, MIN_BAD_EVENTS, clusters=False)
    ledger.add(SliDelta("r", "{}", T0 + k * ns(gap), 1 - x, 1) for k, x in enumerate(bad))
    now_ns = T0 + (len(bad) - 1) * ns(gap)
    return evidence.advance(ledger, ledger.advance(now_ns), now_ns).alarm_ns[0] != NO_ALARM


def test_an_outage_is_noticed_when_it_says():
    bad = round(reach(10).outage_ns() / ns("6m"))
    assert evidence_after([0] * 5 + [1] * bad, "6m")
    assert not evidence_after([0] * 5 + [1] * (bad - 1), "6m")


@pytest.mark.parametrize(("within", "events"), [("1h", 10), ("6h", 60)])
def test_the_rate_that_it_names_is_enough(within, events):
    """Spread evenly, the worst order; that fewer are not enough is the weaker statement: luck may help them."""
    rate = reach(10).error_rate(ns(within))
    assert rate is not None
    bad = round(rate * events)
    spread = [int((k + 1) * bad // events > k * bad // events) for k in range(events)]
    assert sum(spread) == bad
    assert evidence_after(spread, "6m")


def test_what_too_few_events_can_never_show():
    assert reach(2).error_rate(ns("1h")) is None
    assert reach(2).error_rate(ns("6h")) is not None


def test_more_traffic_notices_less_and_sooner():
    rates = [reach(per_hour).error_rate(ns("6h")) for per_hour in (10, 100, 1_000, 100_000)]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 0.0015
    assert reach(100).outage_ns() < reach(10).outage_ns()
