"""The saturation page: what is drawn and in which order, what is said of targets and of nothing, in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from dashboard import charts, formats, frames
from dashboard.documents.metrics import Metric, MetricCourse, Target
from dashboard.periods import Period
from dashboard.viewmodels import saturation
from tests.dashboard import metrics, recorded
from tests.dashboard.service import RecordedService

METRICS = [Metric.model_validate(one) for one in metrics.metrics()]


def rows(page: Page, grid: str) -> Locator:
    return page.locator(f".st-key-grid-{grid} tbody tr")


def frame(name: str, by: str = "instance") -> tuple[MetricCourse, Period]:
    start = recorded.NOW - 3600
    found = metrics.course(name, start, recorded.NOW, 60, by)
    return MetricCourse.model_validate(found), Period(start, recorded.NOW, 60)


@pytest.mark.parametrize(
    ("value", "unit", "role", "text"),
    [
        (None, "s", "", "–"),
        (0.973, "1", "kv_cache_usage", "97.3 %"),
        (0.5, "1", "other", "0.5"),
        (98.0, "%", "gpu_utilisation", "98 %"),
        (1.5, "s", "", "1.5 s"),
        (2500.0, "us", "", "2.5 ms"),
        (2e9, "By", "gpu_memory", "2 GB"),
        (1024.0, "MiBy", "gpu_memory", "1.07 GB"),
        (41.0, "{request}", "queue_depth", "41"),
        (61.0, "Cel", "", "61 °C"),
        (412.0, "W", "", "412 W"),
    ],
)
def test_values_read_in_their_units(value: float | None, unit: str, role: str, text: str) -> None:
    assert formats.quantity(value, unit, role) == text


def test_what_says_how_full_a_service_is_comes_first_and_what_was_asked_for_before_it() -> None:
    assert saturation.services(METRICS) == ["vllm", "webshop"]
    names = [one.name for one in saturation.shown(METRICS, "vllm", None)]
    assert names == [
        "vllm:num_requests_waiting", "vllm:num_requests_running", "vllm:kv_cache_usage_perc",
        "vllm:num_preemptions_total", "DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_FB_USED",
        "vllm:time_to_first_token_seconds",
    ]  # fmt: skip
    asked = [one.name for one in saturation.shown(METRICS, "vllm", "vllm:request_prompt_tokens")]
    assert asked == ["vllm:request_prompt_tokens", *names]
    assert saturation.shown(METRICS, "webshop", None) == []


def test_frames_hold_a_line_an_instance_with_gaps_and_a_line_a_percentile() -> None:
    drawn = frames.metric(*_named("vllm:num_requests_waiting"))
    assert list(dict.fromkeys(drawn["series"])) == list(metrics.INSTANCES)
    missing = drawn[drawn["series"] == metrics.INSTANCES[1]]["value"].isna()
    assert missing.sum() == 19  # a third of 60 steps, the last one of which is not over
    drawn = frames.metric(*_named("vllm:time_to_first_token_seconds", "service"))
    assert list(dict.fromkeys(drawn["series"])) == ["p50", "p90", "p99"]
    nothing = MetricCourse(name="x", step=60, series=[])
    assert frames.metric(nothing, saturation.series_name, Period(0, 60, 60)).empty


def _named(name: str, by: str = "instance") -> tuple[MetricCourse, object, Period]:
    course, period = frame(name, by)
    return course, saturation.series_name, period


@pytest.mark.parametrize("unit", ["s", "%", "By", "MiBy", "1", ""])
def test_charts_are_valid(unit: str) -> None:
    drawn = frames.metric(*_named("vllm:kv_cache_usage_perc"))
    charts.lines(drawn, "value", charts.quantity_labels(unit, "kv_cache_usage"), ".4~g").to_dict()


def test_targets_that_are_down_come_first() -> None:
    found = [Target.model_validate(one) for one in metrics.targets()]
    grid = saturation.target_grid(found, recorded.NOW, formats.zone("UTC"))
    assert [row.cells[2].text for row in grid.rows] == ["Down", "Up"]


def test_the_page_shows_charts_values_and_targets(page: Page, service: RecordedService) -> None:
    page.goto("/saturation")
    expect(page.locator(".tw-head h1")).to_have_text("Saturation")
    expect(page.locator('[data-testid="stVegaLiteChart"]')).to_have_count(7)
    expect(page.locator("h2.tw-section").first).to_contain_text("Requests waiting")
    waiting = rows(page, "metrics").filter(has_text="vllm:num_requests_waiting")
    expect(waiting).to_contain_text("41")
    expect(rows(page, "metrics").filter(has_text="KV cache in use")).to_contain_text("97.3 %")
    expect(rows(page, "metrics").filter(has_text="GPU memory in use")).to_contain_text("__overflow__")
    expect(rows(page, "targets").first).to_contain_text("Down")
    expect(rows(page, "targets").first).to_contain_text("the connection was refused")
    asked = [sent for _, path, sent in service.requests if path.endswith("num_requests_waiting")]
    assert asked[0]["by"] == "instance"
    assert asked[0]["service"] == "vllm"


def test_a_metric_that_is_clicked_is_drawn(page: Page) -> None:
    page.goto("/saturation")
    expect(page.locator('[data-testid="stVegaLiteChart"]')).to_have_count(7)
    rows(page, "metrics").filter(has_text="vllm:request_prompt_tokens").locator("a").first.click()
    expect(page.locator('[data-testid="stVegaLiteChart"]')).to_have_count(8)
    expect(page.locator("h2.tw-section").first).to_contain_text("Prompt tokens per request")


def test_a_service_whose_metrics_say_nothing_of_saturation_lists_them(page: Page) -> None:
    page.goto("/saturation?service=webshop")
    expect(page.get_by_text("None of this service's metrics is known to say how full it is")).to_be_visible()
    expect(rows(page, "metrics")).to_have_count(1)


def test_without_metrics_the_page_says_what_to_do(page: Page, service: RecordedService) -> None:
    service.metrics = []
    page.goto("/saturation")
    expect(page.get_by_text("No service has sent metrics within the last hour")).to_be_visible()
    expect(page.get_by_text("scrape_file")).to_be_visible()
