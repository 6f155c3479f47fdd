"""Evidence and effect over several fields: what is called drift, what is not, and what cannot be judged."""

import json

import numpy as np
import pytest

from detectors.drift import compare
from telemetry.errors import TailwatchError
from telemetry.sketch_bytes import to_bytes
from telemetry.sketches import DDSketch


def window(rng, n, shift=0.0, mix=(0.5, 0.3, 0.2)):
    counts = rng.multinomial(n, mix)
    return {
        "tokens_in": DDSketch.of(rng.lognormal(4 + shift, 0.8, n)),
        "confidence": DDSketch.of(rng.beta(5, 2, n)),
        "input_type": dict(zip(("chat", "code", "long"), counts.tolist(), strict=True)),
    }


@pytest.fixture
def rng():
    return np.random.default_rng(8)


def test_nothing_changed_is_no_drift(rng):
    flagged = [compare(window(rng, 3000), window(rng, 200), alpha=0.05).drifted for _ in range(300)]
    assert np.mean(flagged) <= 0.05


def test_a_shifted_number_and_a_shifted_mix_are_named(rng):
    result = compare(window(rng, 3000), window(rng, 800, shift=0.5, mix=(0.2, 0.6, 0.2)), alpha=0.001)
    assert result.drifted
    assert set(result.drifted_fields) == {"tokens_in", "input_type"}
    by_field = {item.field: item for item in result.fields}
    assert by_field["tokens_in"].method == "ks"
    assert by_field["input_type"].effect_name == "jensen_shannon_distance"
    assert by_field["tokens_in"].measures["median_current"] > by_field["tokens_in"].measures["median_reference"]
    assert (by_field["confidence"].n_reference, by_field["confidence"].n_current) == (3000, 800)


def test_evidence_without_effect_is_no_drift(rng):
    result = compare(window(rng, 200_000), window(rng, 200_000, shift=0.02), alpha=0.001)
    tokens = result.fields[0]
    assert tokens.p_value < 1e-6
    assert not tokens.drifted


def test_effect_without_evidence_is_no_drift(rng):
    values = rng.lognormal(4, 0.8, 3000)
    result = compare({"x": DDSketch.of(values)}, {"x": DDSketch.of(values[:35] * 1.15)}, alpha=0.001)
    assert result.fields[0].effect >= 0.1
    assert not result.drifted


def test_minimum_effect_is_by_field(rng):
    before, after = window(rng, 5000), window(rng, 3000, shift=0.3)
    assert compare(before, after, alpha=0.001).drifted_fields == ("tokens_in",)
    assert not compare(before, after, alpha=0.001, min_effect={"tokens_in": 1.0}).drifted
    assert not compare(before, after, alpha=0.001, min_effect=1.0).drifted


def test_too_few_records_are_a_state_of_their_own(rng):
    result = compare(window(rng, 3000), window(rng, 10, shift=3), alpha=0.05)
    assert not result.enough_data
    assert not result.drifted
    assert "10 of the 30" in result.fields[0].reason
    partly = compare(window(rng, 3000), {**window(rng, 10), "tokens_in": DDSketch.of([1.0] * 100)}, alpha=0.05)
    assert partly.enough_data
    assert partly.drifted_fields == ("tokens_in",)


def test_unjudged_fields_do_not_dilute_the_others(rng):
    before, after = window(rng, 3000), window(rng, 500, shift=0.5)
    alone = compare({"tokens_in": before["tokens_in"]}, {"tokens_in": after["tokens_in"]}, alpha=0.01)
    many = compare(before | {f"f{i}": DDSketch() for i in range(50)}, {"tokens_in": after["tokens_in"]}, alpha=0.01)
    assert many.fields[0].adjusted_p_value == alone.fields[0].adjusted_p_value


def test_a_field_that_vanished_appeared_or_changed_its_type_is_not_judged(rng):
    result = compare({"a": DDSketch.of(rng.random(100)), "c": {"x": 100}}, {"b": {"x": 100}, "c": DDSketch.of(rng.random(100))}, alpha=0.05)  # fmt: skip  # noqa: E501
    reasons = {item.field: item.reason for item in result.fields}
    assert "the window" in reasons["a"]
    assert "the reference" in reasons["b"]
    assert "text on the other" in reasons["c"]
    assert not compare({}, {}, alpha=0.05).enough_data


def test_evidence_is_json_with_drifted_fields_first(rng):
    result = compare(window(rng, 3000), window(rng, 800, mix=(0.1, 0.1, 0.8)), alpha=0.001)
    document = json.loads(json.dumps(result.evidence(), allow_nan=False))
    assert document[0]["field"] == "input_type"
    assert {"field", "p_value", "effect", "method"} <= document[0].keys()


def test_input_is_left_untouched(rng):
    before, after = window(rng, 500), window(rng, 500)
    copies = [before["input_type"].copy(), *to_bytes([before["tokens_in"]])]
    compare(before, after, alpha=0.05)
    assert [before["input_type"], *to_bytes([before["tokens_in"]])] == copies


@pytest.mark.parametrize(("alpha", "min_effect"), [(0, 0.1), (1, 0.1), (0.05, 0.0), (0.05, {"x": -1})])
def test_impossible_settings_are_refused(alpha, min_effect):
    with pytest.raises(TailwatchError):
        compare({"x": {"a": 50}}, {"x": {"a": 50}}, alpha=alpha, min_effect=min_effect)
