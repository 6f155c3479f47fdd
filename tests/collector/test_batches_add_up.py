"""What several requests add when they are counted together is what they add one by one: company changes nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.cardinality import CardinalityGuard
from collector.decode import DECODERS, Signal, Task
from collector.derive import derive
from collector.normalise import FIELD_ATTRIBUTES, attributes_among, normalise
from collector.rollup import Deltas, roll_up
from telemetry.columns import Columns
from telemetry.deltas import OVERFLOW_GROUP
from telemetry.matchers import parse_matchers
from telemetry.prices import Price, PriceTable
from telemetry.rules import SERIES_RULE, Below, NoError, Present, RollupRule
from telemetry.sketches import DDSketch, merge
from tests.collector.messages import NOW_NS, SECOND, log, logs, span, traces

RULES = (
    SERIES_RULE,
    RollupRule("errors", parse_matchers(["service=a", "tier!=gold"]), ("tenant", "service"), NoError("ignore")),
    RollupRule("cost", parse_matchers(["tokens_in>=5"]), ("tier",), Below("cost", 0.02)),
    RollupRule("drift", parse_matchers([]), ("model",), Present(("feature.m", "prediction", "tokens_in")),
               ("feature.m", "prediction", "tokens_in", "cost_per_1k_tokens")),
)  # fmt: skip
NAMED = attributes_among(name for rule in RULES for name in rule.names)
PRICES = PriceTable((
    Price(parse_matchers(["model=m1"]), NOW_NS - SECOND, input_token=0.001, output_token=0.002),
    Price(parse_matchers(["model=~m.*"]), 0, input_token=0.004, cached_token=0.001, request=0.01),
))  # fmt: skip

VALUES = st.fixed_dictionaries(
    {},
    optional={
        "gen_ai.request.model": st.sampled_from(["m1", "m2", "x", "\0", ""]),
        "gen_ai.response.model": st.sampled_from(["m1", "other"]),
        "gen_ai.usage.input_tokens": st.sampled_from([0, 5, 9, -1, "7", "many"]),
        "gen_ai.usage.output_tokens": st.sampled_from([1, 5]),
        "gen_ai.usage.cache_read.input_tokens": st.sampled_from([0, 3, 12]),
        "gen_ai.response.time_to_first_chunk": st.sampled_from([0.1, 2.0]),
        "tailwatch.tenant": st.sampled_from(["t", 8, 8.5, "8", True]),
        "tailwatch.feature.m": st.sampled_from(["n/a", 3, -2.5, 0, False]),
        "tailwatch.prediction": st.sampled_from(["cat", "dog", 1]),
        "tailwatch.model.version": st.sampled_from(["v1", "v2"]),
        "tier": st.sampled_from(["gold", 1, "1"]),
        "error.type": st.sampled_from(["timeout", "429"]),
        "http.response.status_code": st.sampled_from([200, 503, "429"]),
        "gen_ai.operation.name": st.sampled_from(["chat", "execute_tool", ""]),
    },
)
RECORDS = st.lists(st.tuples(VALUES, st.integers(0, 25), st.booleans()), max_size=4)
BODIES = st.lists(st.tuples(RECORDS, st.sampled_from(["a", "b"]), st.sampled_from([None, "gold"])), max_size=4)


def body_of(signal: Signal, body: Any) -> bytes:
    records, service, tier = body
    resource = {"service.name": service, **({} if tier is None else {"tier": tier})}
    if signal == "span":
        made = [
            span(i + 1, end_ns=NOW_NS - age * SECOND, error=error, values=values)
            for i, (values, age, error) in enumerate(records)
        ]
        return traces(made, **resource).SerializeToString()
    made_logs = [log(i + 1, time_ns=NOW_NS - age * SECOND, values=values) for i, (values, age, _) in enumerate(records)]
    return logs(made_logs, **resource).SerializeToString()


def columns_of(signal: Signal, bodies: list[bytes]) -> Columns:
    raw = DECODERS["protobuf"](bodies, Task(signal, FIELD_ATTRIBUTES | NAMED, NOW_NS))
    return derive(normalise(raw, NAMED, 512), raw, PRICES, b"key")


def counted(parts: list[Deltas]) -> tuple[dict[Any, list[int]], dict[Any, Any]]:
    """Increments of the same counter added up; sketches by their bins."""
    sli: dict[Any, list[int]] = defaultdict(lambda: [0, 0])
    texts: dict[Any, Counter[str]] = defaultdict(Counter)
    sketches: dict[Any, list[DDSketch]] = defaultdict(list)
    for part in parts:
        for one in part.sli:
            sli[one.rule, one.group, one.bucket_ns][0] += one.good
            sli[one.rule, one.group, one.bucket_ns][1] += one.total
        for delta in part.distributions:
            key = delta.rule, delta.group, delta.bucket_ns, delta.field
            if isinstance(delta.distribution, DDSketch):
                sketches[key].append(delta.distribution)
            else:
                texts[key].update(delta.distribution)
    merged = {key: merge(own) for key, own in sketches.items()}
    bins = {
        key: (*one.histogram()[0].tolist(), *one.histogram()[1].tolist(), one.low, one.high, round(one.total, 6))
        for key, one in merged.items()
    }
    return dict(sli), {"bins": bins, "texts": dict(texts)}


def rows(columns: Columns) -> list[Any]:
    """Every record as its canonical fields, whatever columns there are."""
    names = sorted({*columns.strings, *columns.numbers})
    found = []
    for row in range(len(columns)):
        texts = {name: columns.string(name).take(np.asarray([row])).tolist()[0] for name in names}
        numbers = {name: float(columns.number(name)[row]) for name in names}
        present = {name: text for name, text in texts.items() if text}
        values = {name: value for name, value in numbers.items() if value == value}
        found.append((present, values, bool(columns.is_inference[row]), int(columns.time_ns[row])))
    return found


@settings(max_examples=60, deadline=None)
@given(bodies=BODIES, signal=st.sampled_from(["span", "log"]))
def test_bodies_together_are_their_sum(bodies: list[Any], signal: Signal) -> None:
    encoded = [body_of(signal, body) for body in bodies]
    together = columns_of(signal, encoded)
    alone = [columns_of(signal, [body]) for body in encoded]
    assert rows(together) == [row for columns in alone for row in rows(columns)]
    guard = CardinalityGuard()
    whole = roll_up(together, RULES, guard, NOW_NS)
    parts = [roll_up(columns, RULES, guard, NOW_NS) for columns in alone]
    assert counted([whole]) == counted(parts)
    assert not [delta for delta in whole.sli if OVERFLOW_GROUP in delta.group]
