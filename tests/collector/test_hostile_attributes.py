"""Attributes that are too many or too long: what is kept of them is bounded, and the records count all the same."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from collector.cardinality import CardinalityGuard
from collector.decode import DECODERS, Encoding, RawColumns, Task
from collector.derive import derive
from collector.limits import Limits
from collector.normalise import FIELD_ATTRIBUTES, normalise
from collector.rollup import Deltas, roll_up
from telemetry.columns import Columns
from telemetry.matchers import parse_matchers
from telemetry.prices import PriceTable
from telemetry.rules import NoError, Present, RollupRule
from telemetry.schema import is_feature
from tests.collector.messages import NOW_NS, SECOND, span, traces

LIMITS = Limits()
LONG = "ab" * (1024 * 1024 // 2)
RULES = (
    RollupRule("errors", parse_matchers([]), ("tenant", "model", "custom"), NoError()),
    RollupRule("drift", parse_matchers([]), (), Present(("feature.t",)), ("feature.t", "prediction")),
)
TASK = Task("span", FIELD_ATTRIBUTES | {"custom"}, NOW_NS, limits=LIMITS)
ENCODINGS = pytest.mark.parametrize("encoding", ["protobuf", "json"])


def decode(encoding: Encoding, values: Mapping[str, str | int], bodies: int = 1) -> RawColumns:
    """Bodies of one span each, all but the first without attributes."""
    given = [values, *({} for _ in range(bodies - 1))]
    if encoding == "protobuf":
        encoded = [traces([span(values=dict(one))]).SerializeToString() for one in given]
    else:
        encoded = [json_body(one) for one in given]
    return DECODERS[encoding](encoded, TASK)


def json_body(values: Mapping[str, str | int]) -> bytes:
    attributes = [
        {"key": key, "value": {"stringValue": value} if isinstance(value, str) else {"intValue": str(value)}}
        for key, value in {"gen_ai.operation.name": "chat", **values}.items()
    ]
    one = {
        "traceId": "01" * 16, "spanId": "01" * 8, "name": "chat", "startTimeUnixNano": str(NOW_NS - SECOND),
        "endTimeUnixNano": str(NOW_NS), "attributes": attributes,
    }  # fmt: skip
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [one]}]}]}).encode()


def understood(raw: RawColumns) -> tuple[Columns, Deltas]:
    columns = derive(normalise(raw, frozenset({"custom"}), LIMITS.text_length), raw, PriceTable(), b"key")
    return columns, roll_up(columns, RULES, CardinalityGuard(), NOW_NS)


@ENCODINGS
def test_a_hundred_thousand_features_leave_the_first_few_and_a_count(encoding: Encoding) -> None:
    raw = decode(encoding, {f"tailwatch.feature.f{number}": number for number in range(100_000)})
    columns, deltas = understood(raw)
    features = [name for name in (*columns.numbers, *columns.strings) if is_feature(name)]
    assert len(features) == LIMITS.features
    assert raw.reports[0].ignored_values == 100_000 - LIMITS.features
    assert [(delta.rule, delta.total) for delta in deltas.sli] == [("errors", 1)]


@ENCODINGS
def test_a_hundred_thousand_attributes_that_nobody_wants_leave_no_column(encoding: Encoding) -> None:
    raw = decode(encoding, {f"custom.{number}": "x" for number in range(100_000)})
    columns, deltas = understood(raw)
    assert len(columns.strings) + len(columns.numbers) < 10
    assert [(delta.rule, delta.total) for delta in deltas.sli] == [("errors", 1)]


@ENCODINGS
def test_long_texts_are_cut_wherever_they_go(encoding: Encoding) -> None:
    wanted = ["tailwatch.tenant", "gen_ai.request.model", "custom", "tailwatch.feature.t", "tailwatch.prediction",
              "error.type", "user.id", "gen_ai.provider.name", "gen_ai.input.messages"]  # fmt: skip
    columns, deltas = understood(decode(encoding, dict.fromkeys(wanted, LONG)))
    texts = [text for column in (columns.name, *columns.strings.values()) for text in column.values]
    assert max(map(len, texts)) == LIMITS.text_length
    assert columns.string("tenant").tolist() == [LONG[: LIMITS.text_length]]
    assert len(columns.string("prompt_hash").tolist()[0]) == 16
    assert {delta.rule: (delta.good, delta.total) for delta in deltas.sli} == {"errors": (0, 1), "drift": (1, 1)}
    assert max(len(delta.group) for delta in deltas.sli) < 4 * LIMITS.text_length
    kept = LONG[: LIMITS.text_length]
    assert [(delta.field, delta.distribution) for delta in deltas.distributions] == [
        ("feature.t", {kept: 1}), ("prediction", {kept: 1}),
    ]  # fmt: skip


@ENCODINGS
def test_a_feature_with_a_long_name_is_ignored_and_counted_in_its_own_body(encoding: Encoding) -> None:
    raw = decode(encoding, {f"tailwatch.feature.{LONG}": 1, "tailwatch.feature.t": "x"}, bodies=2)
    columns, _ = understood(raw)
    assert [name for name in (*columns.numbers, *columns.strings) if is_feature(name)] == ["feature.t"]
    assert [report.ignored_values for report in raw.reports] == [1, 0]
