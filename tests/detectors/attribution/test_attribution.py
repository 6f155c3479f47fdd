"""The guilty slice is found, the innocent ones that go with it are not, and nothing is found where nothing is."""

import json
from dataclasses import replace

import numpy as np
import pytest

from detectors.attribution import attribute
from telemetry.columns import StringColumn, columns_of, empty_columns
from telemetry.rules import Below, NoError
from tests.detectors.traffic import traffic


def spans(seed, n=4000, **change):
    return traffic(seed, n, **change)[0]


@pytest.mark.parametrize("seed", range(5))
def test_the_cause_is_told_from_the_tenant_that_goes_with_it(seed):
    found = attribute(spans(seed), spans(seed + 100, 800, error_of={("input_type", "code"): 0.3}), NoError())
    assert found.labels == {"input_type": "code"}
    assert found.explained > 0.8
    assert found.slices[0].labels == {"input_type": "code"}
    assert found.slices[0].p_value < 0.001


def test_a_tenant_is_named_when_it_is_the_tenant():
    found = attribute(spans(1), spans(2, 1500, error_of={("tenant", "umbrella"): 0.2}), NoError())
    assert found.labels == {"tenant": "umbrella"}


def pair_errors(seed, n, rate):
    columns = spans(seed, n)
    rng = np.random.default_rng(seed + 1000)
    tenant, kind = columns.string("tenant").tolist(), columns.string("input_type").tolist()
    hit = [t == "globex" and k == "chat" and rng.random() < rate for t, k in zip(tenant, kind, strict=True)]
    errors = ["timeout" if h else None for h in hit]
    return columns_of(
        "span",
        columns.time_ns,
        strings={
            "tenant": tenant,
            "input_type": kind,
            "error_type": errors,
        },
    )


def test_a_pair_is_named_only_when_both_values_are_clean_elsewhere():
    found = attribute(pair_errors(1, 4000, 0.0), pair_errors(2, 2000, 0.4), NoError())
    assert found.labels == {"input_type": "chat", "tenant": "globex"}
    assert len(found.explanation) == 1


def test_two_values_of_one_dimension():
    found = attribute(
        spans(3), spans(4, 2000, error_of={("input_type", "code"): 0.3, ("input_type", "long"): 0.3}), NoError()
    )
    assert found.labels == {"input_type": "code|long"}
    assert {item.labels["input_type"] for item in found.explanation} == {"code", "long"}


def test_slow_and_expensive_events_are_attributed_alike():
    before = spans(5)
    slow = attribute(before, spans(6, 3000, spike=0.1), Below("duration", 1.0))
    assert slow.labels == {"operation": "classify"}
    costly = spans(7, 2000)
    long = np.asarray(costly.string("input_type").tolist()) == "long"
    costly.numbers["cost"][long] *= 20
    dear = attribute(before, costly, Below("cost", float(np.quantile(before.number("cost"), 0.99))))
    assert dear.labels == {"input_type": "long"}


def test_slow_operations_that_always_were_slow_are_not_blamed_when_the_mix_shifts():
    before = spans(8)
    after = spans(9, 3000, types=(0.2, 0.2, 0.6))
    assert attribute(before, after, Below("duration", 1.0)).explanation == ()


@pytest.fixture(scope="module")
def pool():
    return spans(99, 30_000, error=0.0)


def drawn(pool, rng, n, error):
    """``n`` requests of the pool, which fail independently of everything else."""
    batch = pool.take(rng.integers(0, len(pool), n))
    failed = np.where(rng.random(n) < error, 0, -1).astype(np.int32)
    return replace(batch, strings={**batch.strings, "error_type": StringColumn(failed, ("timeout",))})


@pytest.mark.parametrize(
    ("baseline", "before", "n", "after"),
    [(1500, 0.003, 600, 0.1), (60, 0.003, 2000, 0.05), (0, 0.0, 800, 0.05), (1500, 0.05, 600, 0.2)],
    ids=["errors everywhere", "thin baseline", "no baseline", "busy baseline"],
)
def test_an_even_excess_names_no_slice(pool, baseline, before, n, after):
    """False-slice rate: errors rise evenly; confounded dimensions are looked at one by one and in pairs."""
    rng = np.random.default_rng(13)
    named = 0
    for _ in range(60):
        found = attribute(drawn(pool, rng, baseline, before), drawn(pool, rng, n, after), NoError())
        named += bool(found.explanation)
    assert named <= 3  # at a true rate of 1 %, more than 3 of 60 has a probability of 0.3 %


def test_no_excess_is_said_to_be_none(pool):
    rng = np.random.default_rng(14)
    found = [attribute(drawn(pool, rng, 1000, 0.02), drawn(pool, rng, 500, 0.02), NoError()) for _ in range(60)]
    assert sum(item.risen for item in found) <= 3
    assert sum(bool(item.explanation) for item in found) <= 1


def test_without_a_baseline_the_concentration_still_shows():
    found = attribute(empty_columns(), spans(1, 800, error_of={("input_type", "code"): 0.3}), NoError())
    assert found.labels == {"input_type": "code"}
    assert attribute(empty_columns(), empty_columns(), NoError()).explanation == ()


def test_all_of_the_traffic_is_no_slice():
    after = spans(2, 1000, operations=False, error=0.2)
    assert attribute(spans(1, operations=False), after, NoError()).labels == {}
    only_code = after.take(np.asarray(after.string("input_type").tolist()) == "code")
    assert "input_type" not in attribute(spans(1), only_code, NoError()).labels


def test_a_new_value_can_be_guilty():
    found = attribute(spans(1), spans(2, 2000, canary=0.3, error_of={("model_version", "v3"): 0.25}), NoError())
    assert found.labels == {"model_version": "v3"}


def test_counts_add_up_and_are_json():
    after = spans(2, 800, error_of={("input_type", "code"): 0.3})
    found = attribute(spans(1), after, NoError())
    errors = after.string("error_type").codes >= 0
    code = np.asarray(after.string("input_type").tolist()) == "code"
    top = found.slices[0]
    assert (found.bad, found.total) == (errors.sum(), 800)
    assert (top.bad, top.total) == ((errors & code).sum(), code.sum())
    assert top.excess == pytest.approx(top.bad - top.expected)
    document = json.loads(json.dumps(found.evidence(), allow_nan=False))
    assert document[0]["dimension"] == "input_type"
    assert {"dimension", "value", "bad", "total", "excess_share"} <= document[0].keys()


def test_throttled_events_follow_the_rule():
    before, after = spans(1), spans(2, 800)
    types = ["429" if value else None for value in after.string("error_type").tolist()]
    after = columns_of("span", after.time_ns, strings={"error_type": types, "tenant": after.string("tenant").tolist()})
    assert attribute(before, after, NoError("ignore")).bad == 0


def test_missing_values_and_columns_are_no_slice():
    after = spans(2, 600, error=0.2)
    bare = columns_of("span", after.time_ns, strings={"error_type": after.string("error_type").tolist()})
    found = attribute(bare, bare, NoError())
    assert found.slices == ()


def test_one_bad_event_after_a_clean_baseline_is_no_excess():
    """The exact conditional test: 1 of 500 after 0 of 1,000 has p = 1/3, and 6 have p = 0.001."""
    clean = columns_of("span", np.arange(1000), strings={"error_type": [None] * 1000})
    one, six = (
        columns_of("span", np.arange(500), strings={"error_type": ["e"] * bad + [None] * (500 - bad)}) for bad in (1, 6)
    )
    assert not attribute(clean, one, NoError()).risen
    assert attribute(clean, six, NoError()).risen
