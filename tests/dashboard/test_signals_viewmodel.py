"""What the page of an SLO that counts no requests looks at: a gauge, arrivals, other SLOs; and its details in words."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from dashboard.documents.metrics import Metric
from dashboard.documents.slos import Slo
from dashboard.viewmodels import budgets, details, signals
from tests.dashboard import metrics
from tests.dashboard.service import RecordedService
from tests.dashboard.viewed import NOW

SLICE = {"start": NOW - 20, "good": False, "max": 61.0, "series": 2}
DEPTH = {
    "gauge": "queue_depth", "aggregate": "max", "below": 50.0, "unit": "{request}", "slice_s": 60.0,
    "latest_slice": SLICE,
}  # fmt: skip
SHARED = {"start": NOW - 20, "good": True, "good_share": 0.9919, "shares": {"a": 1.0, "b": 0.9}}
ARRIVED = {"max_delay": 90.0, "unit": "s", "slice_s": 60.0}
PARTS = {"of": {"classify-latency": 3.0, "request-errors": 1.0}, "slice_s": 60.0}


def declared(name: str, kind: str, detail: dict[str, Any], **more: Any) -> dict[str, Any]:
    group = {
        "group": {}, "state": "burning", "good": 54.0, "total": 60.0, "sli": 0.9, "budget_remaining": -9.0,
        "burn": {"30s": None, "2m": 10.0, "1d": 4.0}, "alerts": [], "detail": detail,
    }  # fmt: skip
    base = {"name": name, "service": "vllm", "kind": kind, "objective": 0.99, "window_s": 86400.0, "groups": [group]}
    return {**base, "budgeting": "timeslices", "where": [], "per": [], **more}


def test_the_gauges_of_a_saturation_slo_are_those_of_its_name_or_role() -> None:
    every = [Metric.model_validate(one) for one in metrics.metrics()]
    by_role = Slo.model_validate(declared("depth", "saturation", DEPTH, per=["instance"]))
    assert [one.name for one in signals.gauges(by_role, every)] == ["vllm:num_requests_waiting"]
    by_name = Slo.model_validate(declared("depth", "saturation", {**DEPTH, "gauge": "vllm:kv_cache_usage_perc"}))
    assert [one.name for one in signals.gauges(by_name, every)] == ["vllm:kv_cache_usage_perc"]
    elsewhere = Slo.model_validate(declared("depth", "saturation", DEPTH, service="webshop"))
    assert signals.gauges(elsewhere, every) == []
    assert (signals.gauge_bound(by_role), signals.gauge_split(by_role)) == (50.0, "instance")
    assert signals.gauge_note(by_role, 60) == "max per 1 min, by instance"
    mean = Slo.model_validate(declared("depth", "saturation", {**DEPTH, "aggregate": "mean"}))
    assert (signals.gauge_column(by_role), signals.gauge_column(mean)) == ("max", "avg")


@pytest.mark.parametrize(
    ("detail", "told"),
    [
        (DEPTH, [
            ("Gauge", "queue_depth"), ("Aggregate", "max"), ("Below", "50"), ("Slice", "1 min"),
            ("Latest slice", "{at} bad: max 61, series 2"),
        ]),
        ({**ARRIVED, "latest_slice": {"start": NOW - 20, "good": None, "events": 0}}, [
            ("Max delay", "1 min 30 s"), ("Slice", "1 min"), ("Latest slice", "{at} neither good nor bad: events 0"),
        ]),
        ({**PARTS, "latest_slice": SHARED}, [
            ("Components", "classify-latency (weight 3), request-errors (weight 1)"), ("Slice", "1 min"),
            ("Latest slice", "{at} good: good share 99.19 %, a 100 %, b 90 %"),
        ]),
        ({"measure": "cost", "budget": 20.0, "unit": "USD"}, [("Measure", "cost"), ("Budget", "$20.00")]),
        ({"measure": "duration", "below": 0.25, "unit": "s"}, [("Measure", "duration"), ("Below", "250 ms")]),
        ({"estimate": {"low": 0.123456, "n": 4}, "fields": ["a", "b"], "gone": None, "on": True}, [
            ("Estimate: low", "0.1235"), ("Estimate: n", "4"), ("Fields", "a, b"), ("On", "yes"),
        ]),
    ],
)  # fmt: skip
def test_details_are_told_in_units_and_times_of_day(detail: dict[str, Any], told: list[tuple[str, str]]) -> None:
    at = details.formats.clock(NOW - 20, UTC, NOW)
    assert details.facts(detail, UTC, NOW) == [(name, text.format(at=at)) for name, text in told]


def test_burn_is_shown_over_the_windows_that_the_alerts_have() -> None:
    slo = Slo.model_validate(declared("depth", "saturation", DEPTH))
    (tile,) = [one for one in budgets.tiles(slo, slo.groups[0], NOW) if one.label.startswith("Burn")]
    assert (tile.label, tile.value, tile.note) == ("Burn, 2 min", "10.0×", "of the last 2 min")
    grid = budgets.group_grid(slo)
    assert [column.label for column in grid.columns[-4:-1]] == ["Burn 30s", "Burn 2m", "Burn 1d"]
    assert [cell.text for cell in grid.rows[0].cells[-4:-1]] == ["–", "10.0×", "4.00×"]
    assert budgets.seconds_of("1h30m") == 5400
    assert budgets.seconds_of("month") == float("inf")


def test_the_pages_of_a_gauge_of_arrivals_and_of_a_composite(page: Page, service: RecordedService) -> None:
    service.slos += [
        declared("depth", "saturation", DEPTH, per=["instance"]), declared("heard", "freshness", ARRIVED),
        declared("both", "composite", PARTS),
    ]  # fmt: skip
    page.goto("/slo?slo=depth")
    expect(page.locator("h2.tw-section", has_text="Requests waiting")).to_contain_text("max per 15 min, by instance")
    expect(page.locator("[data-testid='stVegaLiteChart']")).to_have_count(5)
    assert {q["by"] for _, path, q in service.requests if path.startswith("/api/v1/metrics/")} == {"instance"}
    page.goto("/slo?slo=heard")
    expect(page.locator("h2.tw-section", has_text="Arrivals of requests from vllm")).to_be_visible()
    page.goto("/slo?slo=both")
    expect(page.locator("h2.tw-section", has_text="Components")).to_be_visible()
    expect(page.get_by_text("classify-latency").first).to_be_visible()
    expect(page.locator("h2.tw-section", has_text="Latency")).to_have_count(0)
