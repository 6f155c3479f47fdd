"""Exactness: the vectorised counts equal those of a loop over records that knows nothing of columns."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.cardinality import CardinalityGuard
from collector.rollup import Deltas, roll_up
from collector.series_places import service_of
from telemetry.columns import Columns, StringColumn, columns_of
from telemetry.deltas import OVERFLOW_GROUP, DistributionDelta, count_of, group_key, group_labels
from telemetry.matchers import parse_matchers
from telemetry.rules import SERIES_RULE, Below, NoError, Present, RollupRule
from telemetry.schema import THROTTLED_ERRORS, is_log_home
from telemetry.sketch_bytes import to_bytes
from telemetry.sketches import DDSketch
from telemetry.windows import BUCKET_NS, NANOS

NOW_NS = 1_700_000_000 * NANOS
Record = dict[str, Any]

RULES = (
    SERIES_RULE,
    RollupRule("errors", parse_matchers(['service="a"']), ("model",), NoError()),
    RollupRule("errors-ignore", parse_matchers([]), ("service", "model"), NoError("ignore"), ("duration",)),
    RollupRule("errors-separate", parse_matchers(["tokens_in<=50"]), (), NoError("separate")),
    RollupRule("latency", parse_matchers(['model=~"m.*"']), ("service",), Below("duration", 1.0), ("confidence",)),
    RollupRule("confidence", parse_matchers([]), ("service",), Below("confidence", 0.5), ("duration",)),
    RollupRule("drift", parse_matchers(['model!="m2"']), ("model",), Present(("feature.x", "feature.t", "tokens_in")),
               ("feature.x", "feature.t", "tokens_in")),
    RollupRule("by-number", parse_matchers([]), ("batch_size",), NoError()),
    RollupRule("by-mixed", parse_matchers(['custom!="a"']), ("custom", "model"), NoError(), ("custom", "feature.m")),
)  # fmt: skip

TEXT_FIELDS = ("service", "model", "error_type", "feature.t")
NUMBER_FIELDS = ("duration", "tokens_in", "confidence", "feature.x", "batch_size")
MIXED_FIELDS = ("custom", "feature.m")
"""Fields that one record has as text and another as number."""

RECORDS = st.lists(
    st.fixed_dictionaries(
        {
            "time_ns": st.integers(0, 30 * NANOS).map(lambda offset: NOW_NS - offset),
            "is_inference": st.sampled_from([True, True, True, False]),
            "service": st.sampled_from([None, "a", "b"]),
            "model": st.sampled_from([None, "m1", "m2", "x"]),
            "error_type": st.sampled_from([None, None, "timeout", "429", "overloaded"]),
            "feature.t": st.sampled_from([None, "red", "blue"]),
            "duration": st.sampled_from([math.nan, 0.0, 0.5, 1.0, 2.0]),
            "tokens_in": st.sampled_from([math.nan, 5.0, 50.0, 51.0]),
            "confidence": st.sampled_from([math.nan, -1.0, 0.25, 0.75]),
            "feature.x": st.sampled_from([math.nan, 1.0, -3.0]),
            "batch_size": st.sampled_from([math.nan, 1.0, 8.0]),
            "custom": st.sampled_from([None, "a", "8", 8.0, 0.5]),
            "feature.m": st.sampled_from([None, "n/a", "x", 3.0, -2.5]),
        }
    ),
    max_size=25,
)


def build(signal: Literal["span", "log"], records: list[Record]) -> Columns:
    mixed = {name: [record.get(name) for record in records] for name in MIXED_FIELDS}
    columns = columns_of(
        signal,
        np.asarray([record["time_ns"] for record in records], dtype=np.int64),
        strings={
            **{name: [record[name] for record in records] for name in TEXT_FIELDS},
            **{name: [value if isinstance(value, str) else None for value in column] for name, column in mixed.items()},
        },
        numbers={
            **{name: [record[name] for record in records] for name in NUMBER_FIELDS},
            **{name: [value if isinstance(value, float) else math.nan for value in column]
               for name, column in mixed.items()},
        },
    )  # fmt: skip
    columns.is_inference[:] = [record["is_inference"] for record in records]
    return columns


def label(record: Record, name: str) -> str:
    value = record.get(name)
    if value is None or value != value:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def present(record: Record, name: str) -> bool:
    return label(record, name) != ""


def verdict(rule: RollupRule, signal: str, record: Record) -> bool | None:
    """Good, bad, or None: no event of this rule, for the SLI."""
    good = rule.good
    if isinstance(good, NoError):
        if signal == "log" or (good.throttled != "bad" and record["error_type"] in THROTTLED_ERRORS):
            return None
        return record["error_type"] is None
    if isinstance(good, Below):
        if (signal == "log" and not is_log_home(good.measure)) or not present(record, good.measure):
            return None
        return bool(record[good.measure] < good.threshold)
    fields = [name for name in good.fields if signal == "span" or is_log_home(name)]
    return True if any(present(record, name) for name in fields) else None


def oracle(signal: str, records: list[Record], rule: RollupRule) -> tuple[dict[Any, list[int]], dict[Any, list[Any]]]:
    sli: dict[Any, list[int]] = defaultdict(lambda: [0, 0])
    values: dict[Any, list[Any]] = defaultdict(list)
    feeds_sli = signal == "span" or any(is_log_home(name) for name in rule.good.names)
    for record in records:
        accepted = rule.where.accepts({name: label(record, name) for name in rule.where.names})
        outcome = verdict(rule, signal, record)
        if not record["is_inference"] or not accepted or (feeds_sli and outcome is None):
            continue
        key = group_key({name: label(record, name) for name in rule.per}), record["time_ns"] // BUCKET_NS * BUCKET_NS
        if feeds_sli:
            sli[key][0] += bool(outcome)
            sli[key][1] += 1
        for name in rule.distributions:
            if (signal == "span" or is_log_home(name)) and present(record, name):
                kind = "text" if isinstance(record[name], str) else "number"
                values[(*key, name, kind)].append(record[name])
    return dict(sli), dict(values)


def distributed(deltas: Deltas, rule: RollupRule) -> dict[Any, DistributionDelta]:
    """The distributions of ``rule``, by the keys of the oracle's; one delta a key."""
    found = [delta for delta in deltas.distributions if delta.rule == rule.id]
    kinds = ["number" if isinstance(delta.distribution, DDSketch) else "text" for delta in found]
    by_key = {(d.group, d.bucket_ns, d.field, kind): d for d, kind in zip(found, kinds, strict=True)}
    assert len(by_key) == len(found), "one delta a key"
    return by_key


def assert_holds(delta: DistributionDelta, values: list[Any]) -> None:
    """``delta`` is the distribution of ``values``."""
    if isinstance(delta.distribution, DDSketch):
        assert to_bytes([delta.distribution]) == to_bytes([DDSketch.of(values)])
    else:
        assert delta.distribution == Counter(values)


@settings(max_examples=80, deadline=None)
@given(records=RECORDS, signal=st.sampled_from(["span", "log"]))
def test_counts_equal_a_loop_over_the_records(records: list[Record], signal: Literal["span", "log"]) -> None:
    deltas = roll_up(build(signal, records), RULES, CardinalityGuard(), NOW_NS)
    for rule in RULES:
        sli, values = oracle(signal, records, rule)
        counted = [delta for delta in deltas.sli if delta.rule == rule.id]
        assert {(delta.group, delta.bucket_ns): [delta.good, delta.total] for delta in counted} == sli
        assert len(counted) == len(sli), "one delta a key"
        gathered = distributed(deltas, rule)
        assert gathered.keys() == values.keys()
        for key, delta in gathered.items():
            assert_holds(delta, values[key])


@settings(max_examples=40, deadline=None)
@given(records=RECORDS, signal=st.sampled_from(["span", "log"]), limit=st.integers(1, 4))
def test_beyond_the_limit_the_overflow_group_holds_exactly_what_is_left(
    records: list[Record], signal: Literal["span", "log"], limit: int
) -> None:
    for rule in RULES:
        guard = CardinalityGuard(limit)
        deltas = roll_up(build(signal, records), [rule], guard, NOW_NS)
        sli, values = oracle(signal, records, rule)
        overflow = group_key(dict.fromkeys(rule.per, OVERFLOW_GROUP))
        groups = {key[0] for key in (*sli, *values)}
        with_place = {delta.group for delta in (*deltas.sli, *deltas.distributions)} - {overflow}
        if rule.per:
            assert with_place <= groups
            scopes = Counter(service_of(group) if rule is SERIES_RULE else "" for group in groups)
            taken = Counter(service_of(group) if rule is SERIES_RULE else "" for group in with_place)
            assert len(taken) <= limit
            assert max(taken.values(), default=0) <= limit
            # Of a log, a group may have a place and nothing to show for it.
            fits = len(scopes) <= limit and max(scopes.values(), default=0) <= limit
            assert signal == "log" or not fits or with_place == groups
        expected: dict[Any, list[int]] = defaultdict(lambda: [0, 0])
        for (group, bucket_ns), counts in sli.items():
            for place, count in enumerate(counts):
                expected[group if group in with_place else overflow, bucket_ns][place] += count
        assert {(delta.group, delta.bucket_ns): [delta.good, delta.total] for delta in deltas.sli} == expected
        left = sum(total for (group, _), (_, total) in sli.items() if group not in with_place and rule.per)
        assert left <= sum(guard.overflowed().values())
        for key, delta in distributed(deltas, rule).items():
            group, bucket_ns, name, kind = key
            own = [
                value
                for (g, b, n, k), held in values.items()
                if (g if g in with_place else overflow, b, n, k) == (group, bucket_ns, name, kind)
                for value in held
            ]
            if isinstance(delta.distribution, DDSketch):
                assert_holds(delta, own)
            else:
                assert count_of(delta.distribution) == len(own)
                assert all(own.count(text) == n for text, n in delta.distribution.items() if text != OVERFLOW_GROUP)


def test_a_request_seen_as_span_and_as_log_counts_once() -> None:
    record = {"time_ns": NOW_NS, "is_inference": True, "service": "a", "model": "m1", "error_type": None,
              "feature.t": None, "duration": 0.5, "tokens_in": 5.0, "confidence": math.nan, "feature.x": math.nan,
              "batch_size": math.nan}  # fmt: skip
    logged = {**record, "confidence": 0.7, "feature.x": 1.0, "duration": math.nan}
    rules = [rule for rule in RULES if rule.id in ("errors", "latency", "confidence", SERIES_RULE.id)]
    guard = CardinalityGuard()
    total: Counter[str] = Counter()
    for columns in (build("span", [record]), build("log", [logged])):
        for delta in roll_up(columns, rules, guard, NOW_NS).sli:
            total[delta.rule] += delta.total
    assert total == {"errors": 1, "latency": 1, "confidence": 1, SERIES_RULE.id: 1}


def test_what_exceeds_the_limit_is_counted_in_one_overflow_group() -> None:
    n = 10
    columns = columns_of(
        "span", np.full(n, NOW_NS), strings={"tenant": [f"t{i}" for i in range(n)], "model": ["m"] * n}
    )
    rule = RollupRule("r", parse_matchers([]), ("tenant", "model"), NoError())
    guard = CardinalityGuard(limit=4)
    first = roll_up(columns, [rule], guard, NOW_NS).sli
    assert sum(delta.total for delta in first) == n
    overflow = [delta for delta in first if OVERFLOW_GROUP in group_labels(delta.group).values()]
    assert [(group_labels(delta.group), delta.total) for delta in overflow] == [
        ({"tenant": OVERFLOW_GROUP, "model": OVERFLOW_GROUP}, 6)
    ]
    assert guard.overflowed() == {"r": 6}
    again = roll_up(columns, [rule], guard, NOW_NS).sli
    assert {delta.group for delta in again} == {delta.group for delta in first}
    assert guard.overflowed() == {"r": 12}


def test_texts_of_a_distribution_have_a_limit_too() -> None:
    columns = columns_of("span", np.full(6, NOW_NS), strings={"feature.t": ["a", "a", "b", "c", "d", None]})
    rule = RollupRule("r", parse_matchers([]), (), Present(("feature.t",)), ("feature.t",))
    (delta,) = roll_up(columns, [rule], CardinalityGuard(limit=2), NOW_NS).distributions
    assert delta.distribution == {"a": 2, "b": 1, OVERFLOW_GROUP: 2}


def test_a_field_with_numbers_and_texts_gives_both_so_that_company_does_not_matter() -> None:
    """Were one kind chosen here, what a request adds would depend on the requests that it was counted with."""
    columns = columns_of(
        "span", np.full(2, NOW_NS), strings={"feature.x": ["n/a", None]}, numbers={"feature.x": [math.nan, 3.0]}
    )
    rule = RollupRule("r", parse_matchers([]), (), Present(("feature.x",)), ("feature.x",))
    deltas = roll_up(columns, [rule], CardinalityGuard(), NOW_NS)
    assert [delta.total for delta in deltas.sli] == [2]
    texts, sketch = (delta.distribution for delta in deltas.distributions)
    assert texts == {"n/a": 1}
    assert isinstance(sketch, DDSketch)
    assert (sketch.count, sketch.low) == (1, 3.0)


def test_nothing_to_count_is_no_delta() -> None:
    empty = columns_of("span", np.zeros(0, dtype=np.int64))
    assert roll_up(empty, RULES, CardinalityGuard(), NOW_NS).sli == ()
    unseen = columns_of("span", np.full(1, NOW_NS), strings={"service": ["b"]})
    assert roll_up(unseen, [RULES[1]], CardinalityGuard(), NOW_NS).sli == ()


@pytest.mark.parametrize("rows", [1, 7])
def test_groups_of_many_wide_fields_do_not_run_over(rows: int) -> None:
    """Ten fields with a thousand values each: the product of their sizes exceeds 64 bits."""
    names = [f"f{i}" for i in range(10)]
    column = StringColumn(np.arange(rows, dtype=np.int32), tuple(f"v{i}" for i in range(1000)))
    base = columns_of("span", np.full(rows, NOW_NS))
    columns = Columns(
        signal="span", time_ns=base.time_ns, start_ns=base.start_ns, trace_id=base.trace_id, span_id=base.span_id,
        parent_span_id=base.parent_span_id, name=base.name, strings=dict.fromkeys(names, column), numbers={},
        is_inference=base.is_inference,
    )  # fmt: skip
    rule = RollupRule("r", parse_matchers([]), tuple(names), NoError())
    deltas = roll_up(columns, [rule], CardinalityGuard(), NOW_NS)
    assert sorted(delta.group for delta in deltas.sli) == sorted(
        group_key(dict.fromkeys(names, f"v{i}")) for i in range(rows)
    )
