"""What vLLM, Triton and the DCGM exporter expose comes out as what it means, and bad samples alone are refused."""

from __future__ import annotations

import math
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.scrape.exposition import Scraped, ScrapeError, read_exposition
from collector.scrape.targets import Target
from telemetry.histograms import Histogram
from telemetry.metric_names import KNOWN_METRICS
from telemetry.points import GaugeState, MetricPoint, Segment, Total
from tests.collector.messages import NOW_NS, SECOND

TARGET = Target("gpus", "http://a:9400/metrics", "a:9400", "chat", {"job": "gpus"}, 15 * SECOND, 10.0, {}, 1000)
CREATED_NS = 1_699_999_000 * SECOND


def read(text: str, *, openmetrics: bool = False) -> Scraped:
    return read_exposition(text, openmetrics=openmetrics, target=TARGET, time_ns=NOW_NS)


def points(text: str, *, openmetrics: bool = False) -> dict[str, MetricPoint]:
    found = [one for points in read(text, openmetrics=openmetrics).decoded.points for one in points]
    named = {one.series.name + one.series.all_labels.get("quantile", ""): one for one in found}
    assert len(named) == len(found)
    return named


def exposition(name: str) -> dict[str, MetricPoint]:
    return points((Path(__file__).parent / "expositions" / f"{name}.txt").read_text("utf-8"))


def value(point: MetricPoint) -> float:
    if isinstance(point.state, GaugeState):
        return point.state.last
    assert isinstance(point.state, Segment)
    assert isinstance(point.state.last, Total)
    return point.state.last.value


def test_vllm() -> None:
    found = exposition("vllm")
    waiting = found["vllm:num_requests_waiting"]
    assert (waiting.series.unit, waiting.series.service, waiting.series.instance) == ("{request}", "chat", "a:9400")
    assert waiting.series.all_labels["model_name"] == "smol"
    assert waiting.series.all_labels["job"] == "gpus"
    assert value(waiting) == 3.0
    assert value(found["vllm:kv_cache_usage_perc"]) == 0.42
    preemptions = found["vllm:num_preemptions_total"]
    assert (preemptions.start_ns, value(preemptions)) == (CREATED_NS, 2.0)
    first = found["vllm:time_to_first_token_seconds"]
    assert (first.series.unit, first.series.bounds, first.start_ns) == ("s", (0.1, 1.0), 0)
    assert first.state == Segment.of(NOW_NS, Histogram((0.1, 1.0), (5, 4, 1), 4.5))
    tokens = found["vllm:iteration_tokens_total"]
    assert tokens.start_ns == CREATED_NS
    assert tokens.state == Segment.of(NOW_NS, Histogram((1.0, 8.0), (3, 7, 2), 74.0))
    assert not [name for name in found if name.endswith("_created")]


def test_triton_whose_counters_have_no_suffix() -> None:
    found = exposition("triton")
    done = found["nv_inference_request_success"]
    assert (done.series.kind, done.series.temporality, value(done)) == ("sum", "cumulative", 120.0)
    assert found["nv_inference_queue_duration_us"].series.unit == "us"
    assert value(found["nv_inference_pending_request_count"]) == 7.0
    assert value(found["nv_inference_request_summary_us0.5"]) == 1900.0
    assert found["nv_inference_request_summary_us_count"].series.kind == "sum"
    assert "nv_inference_request_summary_us0.99" not in found


def test_dcgm_exporter() -> None:
    found = exposition("dcgm")
    assert (found["DCGM_FI_DEV_GPU_UTIL"].series.unit, value(found["DCGM_FI_DEV_GPU_UTIL"])) == ("%", 87.0)
    assert found["DCGM_FI_DEV_FB_USED"].series.unit == "MiBy"
    assert found["DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"].series.kind == "sum"
    assert found["DCGM_FI_DEV_GPU_TEMP"].series.all_labels["Hostname"] == "node-a"


@pytest.mark.parametrize("name", ["vllm", "triton", "dcgm"])
def test_the_table_of_names_says_what_is_exposed(name: str) -> None:
    found = {one.series.name: one.series for one in exposition(name).values()}
    known = [KNOWN_METRICS[one] for one in found if one in KNOWN_METRICS]
    assert len(known) >= len(found) - 3
    for one in known:
        assert (found[one.name].kind, found[one.name].unit) == (one.kind, one.unit)


OPENMETRICS = """# TYPE work_seconds counter
# UNIT work_seconds seconds
work_seconds_total{a="b"} 3
work_seconds_created{a="b"} 1699999000
# TYPE build info
build_info{version="1"} 1
# TYPE latency_seconds histogram
latency_seconds_bucket{le="1.0"} 1
latency_seconds_bucket{le="+Inf"} 2
latency_seconds_count 2
latency_seconds_sum 3
latency_seconds_created 1699999000
# EOF
"""


def test_openmetrics() -> None:
    found = points(OPENMETRICS, openmetrics=True)
    assert found.keys() == {"work_seconds_total", "build_info", "latency_seconds"}
    work = found["work_seconds_total"]
    assert (work.series.unit, work.start_ns, value(work)) == ("s", CREATED_NS, 3.0)
    assert found["latency_seconds"].start_ns == CREATED_NS


def test_labels_of_the_target_win_and_the_samples_own_are_kept() -> None:
    (one,) = points('x{job="own",instance="i",service="s",other="o"} 1\n').values()
    assert one.series.all_labels == {
        "exported_job": "own", "exported_instance": "i", "exported_service": "s", "other": "o", "job": "gpus",
        "service": "chat", "instance": "a:9400",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x NaN\n", "not_finite"),
        ("# TYPE x counter\nx_total +Inf\n", "not_finite"),
        ('# TYPE h histogram\nh_bucket{le="1"} 3\nh_sum 1\nh_count 3\n', "bad_buckets"),
        ('# TYPE h histogram\nh_bucket{le="1"} 3\nh_bucket{le="+Inf"} 2\n', "bad_buckets"),
        ('# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="1.0"} 1\nh_bucket{le="+Inf"} 2\n', "bad_buckets"),
        ('# TYPE h histogram\nh_bucket{le="+Inf"} 2\nh_sum NaN\n', "not_finite"),
        ("x{" + ",".join(f'l{index}="v"' for index in range(70)) + "} 1\n", "too_many_attributes"),
        ("x" * 300 + " 1\n", "no_name"),
    ],
)
def test_a_bad_sample_is_refused_alone(text: str, reason: str) -> None:
    scraped = read("good 1\n" + text)
    assert scraped.decoded.report.rejections.reasons == {reason: 1}
    assert [points[0].series.name for points in scraped.decoded.points] == ["good"]


def test_a_histogram_without_a_sum_has_none() -> None:
    (one,) = points('# TYPE h histogram\nh_bucket{le="+Inf"} 2\n').values()
    assert isinstance(one.state, Segment)
    assert isinstance(one.state.last, Histogram)
    assert math.isnan(one.state.last.total)


def test_too_many_samples_are_refused_as_a_whole() -> None:
    with pytest.raises(ScrapeError, match="more than 1000 samples"):
        read("".join(f'x{{a="{index}"}} 1\n' for index in range(1001)))


@pytest.mark.parametrize("text", ["<html></html>\n", "x{ 3\n", 'x{a="} 1\n', "x one\n"])
def test_what_is_no_exposition_is_said_to_be_none(text: str) -> None:
    with pytest.raises(ScrapeError, match="not Prometheus' text format"):
        read(text)


@given(st.text(alphabet='ab{}=",# \n\\TYPEcounter_total0123456789.e+-NaInfle', max_size=120), st.booleans())
def test_random_text_gives_points_or_one_clear_error(text: str, openmetrics: bool) -> None:
    with suppress(ScrapeError):
        assert read(text, openmetrics=openmetrics).samples >= 0
