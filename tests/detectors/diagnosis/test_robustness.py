"""Thin, empty, partial and odd input: an honest answer in the agreed form, never an exception."""

import json
from dataclasses import replace

import numpy as np
import pytest

from detectors.diagnosis import diagnose
from telemetry.columns import StringColumn, columns_of, empty_columns
from telemetry.findings import CAUSES
from telemetry.rules import Below, NoError, Present
from tests.detectors.traffic import traffic

KINDS = (
    "errors",
    "latency",
    "quantile",
    "saturation",
    "cost",
    "spend",
    "drift",
    "quality",
    "accuracy",
    "freshness",
    "x",
)
GOODS = (None, NoError(), Below("duration", 1.0), Below("queue", 0.5), Below("cost", 0.001), Present(("tokens_in",)))


def written(diagnosis):
    json.dumps(diagnosis.evidence, allow_nan=False)
    assert diagnosis.cause in CAUSES
    assert diagnosis.summary
    return diagnosis


@pytest.mark.parametrize("kind", KINDS)
def test_any_kind_with_any_rule_and_little_data_is_answered(kind):
    spans, logs = traffic(1, 300)
    bare = columns_of("span", np.arange(300, dtype=np.int64))
    few = spans.take(np.arange(3))
    for good in GOODS:
        for before, after in (
            (empty_columns(), empty_columns()), (empty_columns(), spans), (spans, empty_columns()),
            (bare, bare), (spans, bare), (bare, spans), (few, few), (spans, few),
        ):  # fmt: skip
            written(diagnose(kind, before, after, good=good))
        written(diagnose(kind, spans, spans, good=good, logs_before=logs, logs_after=logs, labels={"tenant": "acme"}))
        written(diagnose(kind, empty_columns(), empty_columns(), good=good, logs_before=logs, logs_after=logs))


def test_a_quantile_slo_is_diagnosed_without_a_threshold():
    before, after = traffic(1, 4000)[0], traffic(2, 1500, queue=2.0)[0]
    assert written(diagnose("quantile", before, after, measure="duration")).cause == "queue-saturation"


def test_saturation_looks_at_the_queue():
    before, after = traffic(1, 3000)[0], traffic(2, 800, queue=1.0)[0]
    assert written(diagnose("saturation", before, after)).cause == "queue-saturation"


@pytest.mark.parametrize(("gauge", "cause"), [("queue_depth", "queue-saturation"), ("memory", "resource-saturation")])
def test_a_gauge_that_no_request_explains_is_named(gauge, cause):
    nothing, usual = empty_columns(), (traffic(1, 3000)[0], traffic(2, 800)[0])
    for before, after in ((nothing, nothing), usual):
        found = written(diagnose("saturation", before, after, gauge=gauge, labels={"instance": "gpu-1"}))
        assert (found.cause, found.slice) == (cause, {"instance": "gpu-1"})
        assert found.summary.startswith(f"{gauge} is beyond its bound; ")


def test_silence_says_what_was_heard_last_and_lateness_that_it_came_after_all():
    before, after = traffic(1, 3000)[0], traffic(2, 800)[0]
    silent = written(diagnose("freshness", before, empty_columns(), onset_ns=int(before.time_ns.max()) + 60 * 10**9))
    assert (silent.cause, "after 3000 calls in the hour before, the last of them 60 s earlier" in silent.summary) == (
        "telemetry-silence", True,
    )  # fmt: skip
    assert "800 calls of the time since have arrived" in written(diagnose("freshness", before, after)).summary


def test_a_version_that_took_over_is_blamed_for_what_began_with_it():
    before, after = traffic(1, 3000)[0], traffic(2, 800, error=0.2)[0]
    versions = StringColumn(np.zeros(len(after), dtype=np.int32), ("v9",))
    after = replace(after, strings={**after.strings, "model_version": versions})
    found = written(diagnose("errors", before, after, good=NoError()))
    assert (found.cause, found.slice) == ("bad-release", {"model_version": "v9"})


def test_an_instance_that_replaced_another_is_no_slice_for_what_the_old_one_did_before():
    before, after = traffic(1, 3000)[0], traffic(2, 1000)[0]
    served = np.where(np.arange(1000) < 40, 0, 1).astype(np.int32)
    error = np.where((served == 1) & (np.arange(1000) % 2 == 0), 0, -1).astype(np.int32)
    changed = {"instance": StringColumn(served, ("old", "new")), "error_type": StringColumn(error, ("timeout",))}
    old = {**before.strings, "instance": StringColumn(np.zeros(3000, dtype=np.int32), ("old",))}
    times = np.arange(1000, dtype=np.int64)
    now = replace(after, strings=after.strings | changed, time_ns=times, start_ns=times)
    found = written(diagnose("errors", replace(before, strings=old), now, good=NoError()))
    assert (found.cause, dict(found.slice)) == ("error-burst", {})


def test_a_young_instance_is_warming_up():
    before, after = traffic(1, 4000)[0], traffic(2, 3000)[0]
    rng = np.random.default_rng(3)
    codes = np.where(rng.random(len(after)) < 0.3, 1, 0).astype(np.int32)
    first = after.start_ns[codes == 1].min()
    young = (codes == 1) & (after.start_ns - first < 60 * 10**9)
    after.numbers["duration"][young] += 10.0
    after = replace(after, strings={**after.strings, "instance": StringColumn(codes, ("a", "new"))})
    found = written(diagnose("latency", before, after, good=Below("duration", 8.0)))
    assert found.cause == "cold-start"


def test_refusals_with_a_longer_queue_are_saturation():
    before, after = traffic(1, 3000)[0], traffic(2, 900, error=0.3, queue=1.0)[0]
    refused = replace(after.string("error_type"), values=("429",))
    after = replace(after, strings={**after.strings, "error_type": refused})
    assert written(diagnose("errors", before, after, good=NoError())).cause == "queue-saturation"


def test_longer_inputs_explain_slow_requests():
    before, after = traffic(1, 4000)[0], traffic(2, 2000, tokens_scale=8.0)[0]
    rows = [np.asarray(side.string("operation").tolist()) == "classify" for side in (before, after)]
    found = written(diagnose("latency", before.take(rows[0]), after.take(rows[1]), good=Below("duration", 0.5)))
    assert found.cause in {"input-drift", "slow-service"}
    assert any(item["what"] == "tokens_in" for item in found.evidence["changes"])


def test_cost_by_price_is_told_from_cost_by_tokens():
    before, after = traffic(1, 3000)[0], traffic(2, 900)[0]
    after.numbers["cost"][:] *= 3
    found = written(diagnose("cost", before, after, good=Below("cost", 0.0008)))
    assert found.cause == "cost-explosion"
    assert found.evidence["changes"][0]["what"] == "price"


def test_drift_confined_to_a_tenant_names_it():
    (spans_before, logs_before), (spans_after, logs_after) = traffic(1, 4000), traffic(2, 2000)
    umbrella = np.asarray(logs_after.string("tenant").tolist()) == "umbrella"
    logs_after.numbers["feature.length"][umbrella] *= 6
    found = written(diagnose("drift", spans_before, spans_after, logs_before=logs_before, logs_after=logs_after))
    assert (found.cause, found.slice) == ("input-drift", {"tenant": "umbrella"})


def test_bad_records_of_a_release():
    before, after = traffic(1, 3000)[0], traffic(2, 1500, canary=0.3)[0]
    v3 = np.asarray(after.string("model_version").tolist()) == "v3"
    after.numbers["tokens_in"][v3] = np.nan
    found = written(diagnose("quality", before, after, good=Below("queue", 0.001)))
    assert found.cause in CAUSES
    errors = replace(
        after, strings={**after.strings, "error_type": StringColumn(np.where(v3, 0, -1).astype(np.int32), ("bad",))}
    )
    found = written(diagnose("quality", before, errors, good=NoError()))
    assert (found.cause, found.slice) == ("bad-release", {"model_version": "v3"})


def test_inputs_are_left_untouched():
    (before, _), (after, _) = traffic(1, 1000), traffic(2, 500, error_of={("input_type", "code"): 0.3})
    copies = [after.numbers["duration"].copy(), after.string("input_type").codes.copy()]
    diagnose("errors", before, after, good=NoError())
    np.testing.assert_array_equal(after.numbers["duration"], copies[0])
    np.testing.assert_array_equal(after.string("input_type").codes, copies[1])
