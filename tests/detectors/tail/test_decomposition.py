"""The rise of a p99 put where it was made: parts that add up, factors that explain, columns that are missing."""

import json

import numpy as np
import pytest

from detectors.tail import decompose
from detectors.tail.reweighting import weighted_quantile, weights
from telemetry.columns import columns_of, empty_columns


def requests(seed, n=6000, *, queue=0.02, slow_prefill=0.0, decode=0.3, other=0.01, long=0.1, warm=0.0, batch=4.0):
    rng = np.random.default_rng(seed)
    tokens = np.where(rng.random(n) < long, rng.lognormal(7.5, 0.3, n), rng.lognormal(4, 0.5, n))
    parts = {
        "queue": rng.exponential(queue, n),
        "prefill": tokens * 2e-4 + (rng.random(n) < 0.03) * slow_prefill,
        "decode": rng.gamma(4, decode / 4, n),
    }
    warming = rng.random(n) < warm
    rest = rng.exponential(other, n) + warming * 3.0
    columns = columns_of(
        "span",
        np.arange(n, dtype=np.int64),
        strings={"warmup": ["true" if w else None for w in warming]},
        numbers={**parts, "tokens_in": tokens, "batch_size": rng.poisson(batch, n) + 1.0},
    )
    columns.numbers["duration"] = sum(parts.values()) + rest
    return columns


def components(found):
    return [item for item in found.parts if item.kind == "component"]


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"queue": 0.8}, "queue"),
        ({"slow_prefill": 2.0}, "prefill"),
        ({"decode": 1.2}, "decode"),
        ({"other": 0.9}, "other"),
    ],
)
def test_the_part_that_was_slowed_carries_the_rise(change, part):
    found = decompose(requests(1), requests(2, **change))
    assert found.after_s > found.before_s
    assert components(found)[0].part == part
    assert found.share(part) > 0.75


def test_components_add_up_to_the_quantile_and_to_the_rise():
    found = decompose(requests(1), requests(2, queue=0.4, decode=0.5))
    assert sum(item.share for item in components(found)) == pytest.approx(1.0)
    assert sum(item.before_s for item in components(found)) == pytest.approx(found.before_s)
    assert sum(item.after_s for item in components(found)) == pytest.approx(found.after_s)


def test_longer_inputs_are_told_from_a_slower_model():
    mix = decompose(requests(1, long=0.005), requests(2, long=0.3))
    assert mix.share("input length") > 0.8
    slower = decompose(requests(1), requests(2, decode=1.2))
    assert slower.share("input length") < 0.2


def test_warm_up_is_named():
    found = decompose(requests(1), requests(2, warm=0.03))
    assert found.share("warm-up") > 0.9
    assert found.share("other") > 0.9


def test_nothing_rose_has_no_parts():
    found = decompose(requests(2, queue=0.5), requests(1))
    assert found.parts == ()
    assert "did not rise" in found.reason


def test_too_few_records_have_no_parts():
    found = decompose(empty_columns(), requests(1))
    assert (found.before_s, found.parts) == (None, ())
    assert "baseline" in found.reason
    assert "window" in decompose(requests(1), requests(1).take(np.arange(3))).reason


def without(columns, *names):
    for name in names:
        columns.numbers.pop(name)
    return columns


def test_missing_columns_fall_into_other():
    names = ("queue", "prefill", "decode", "tokens_in", "batch_size")
    found = decompose(without(requests(1), *names), without(requests(2, queue=0.8), *names))
    assert [item.part for item in components(found)] == ["other"]
    assert found.share("other") == pytest.approx(1.0)


def test_a_part_that_only_one_window_reports_invents_no_rise():
    found = decompose(without(requests(1), "decode"), requests(2, queue=0.8))
    assert {item.part for item in components(found)} == {"queue", "prefill", "other"}
    assert found.share("queue") > 0.75
    assert sum(item.share for item in components(found)) == pytest.approx(1.0)


def test_time_to_first_token_stands_in_for_prefill_and_decode():
    def bare(columns):
        columns.numbers["ttft"] = columns.numbers["queue"] + columns.numbers["prefill"]
        return without(columns, "prefill", "decode")

    found = decompose(bare(requests(1)), bare(requests(2, slow_prefill=2.0)))
    assert components(found)[0].part == "prefill"


def test_other_measures():
    first, second = requests(1), requests(2, queue=0.8)
    for columns in (first, second):
        columns.numbers["ttft"] = columns.numbers["queue"] + columns.numbers["prefill"]
    assert decompose(first, second, measure="ttft").share("queue") > 0.75
    assert decompose(first, second, measure="queue").share("queue") == pytest.approx(1.0)


def test_partly_missing_and_contradictory_parts_never_turn_negative():
    rng = np.random.default_rng(3)
    first, second = requests(1), requests(2, queue=0.8)
    second.numbers["prefill"] = np.where(rng.random(len(second)) < 0.5, np.nan, 10.0)
    found = decompose(first, second)
    assert all(item.after_s >= 0 for item in components(found))
    assert sum(item.share for item in components(found)) == pytest.approx(1.0)


def test_evidence_is_json():
    found = decompose(requests(1), requests(2, queue=0.8))
    document = json.loads(json.dumps(found.evidence(), allow_nan=False))
    assert {"part", "before_s", "after_s", "share"} <= document[0].keys()


def test_reweighting_restores_the_earlier_mix():
    rng = np.random.default_rng(4)
    before = (rng.random(4000) < 0.1).astype(np.intp)
    after = (rng.random(4000) < 0.6).astype(np.intp)
    weight = weights(before, after)
    assert np.average(after, weights=weight) == pytest.approx(before.mean())
    values = np.where(after == 1, 5.0, 1.0) + rng.random(4000)
    assert weighted_quantile(values, weight, 0.85) < 2 < 5 < weighted_quantile(values, np.ones(4000), 0.85)
