"""What is made of OTLP/JSON in all its spellings, and that it means the same as protobuf."""

from __future__ import annotations

import json

import numpy as np
import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.decode import DECODERS, Encoding, RawColumns, Task
from collector.normalise import FIELD_ATTRIBUTES
from telemetry.errors import PayloadError
from tests.collector.messages import NOW_NS, SECOND, span, traces

TRACES = Task("span", FIELD_ATTRIBUTES | {"custom"}, NOW_NS)


def decode_body(body: bytes, encoding: Encoding = "json") -> RawColumns:
    raw = DECODERS[encoding]([body], TRACES)
    (report,) = raw.reports
    if report.error is not None:
        raise report.error
    return raw


def test_an_empty_request_is_no_records() -> None:
    assert len(decode_body(b"{}")) == 0


@settings(max_examples=60, deadline=None)
@given(
    document=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["resourceSpans", "scopeSpans", "spans", "resource", "attributes", "key", "value", "traceId", "kind",
                 "stringValue", "arrayValue", "values", "endTimeUnixNano", "status", "code", "links", "x"]
            ),
            inner,
            max_size=4,
        ),
        max_leaves=20,
    )
)  # fmt: skip
def test_hostile_json_is_records_or_400(document: object) -> None:
    try:
        decode_body(json.dumps(document).encode())
    except PayloadError as error:
        assert error.status == 400  # noqa: PT017  # not to be raised at all is as good


@pytest.mark.parametrize(
    "body", [b"[" * 200_000, b'{"resourceSpans":' * 5000, b"\xff\xfe", b"nonsense", b"[]", b"3", b'{"resourceSpans":3}']
)
def test_bodies_that_are_not_otlp_json_are_400(body: bytes) -> None:
    with pytest.raises(PayloadError) as caught:
        decode_body(body)
    assert caught.value.status == 400


def test_json_that_is_all_brackets_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(PayloadError) as caught:
        decode_body(b"[" + b"{}," * 4_100_000 + b"{}]")
    assert caught.value.status == 413


def json_span(**changes: object) -> dict[str, object]:
    return {
        "traceId": "5B8EFFF798038103D269B633813FC60C",
        "spanId": "eee19b7ec3c1b174",
        "name": "chat",
        "kind": 3,
        "startTimeUnixNano": str(NOW_NS - SECOND),
        "endTimeUnixNano": str(NOW_NS),
        "attributes": [{"key": "custom", "value": {"intValue": "42"}}],
        **changes,
    }


def decode_json_spans(*documents: object) -> RawColumns:
    body = {"resourceSpans": [{"scopeSpans": [{"spans": list(documents)}]}]}
    return decode_body(json.dumps(body).encode())


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"traceId": "5b8efff798038103d269b633813fc60c"},
        {"startTimeUnixNano": NOW_NS - SECOND, "endTimeUnixNano": NOW_NS},
        {"kind": "SPAN_KIND_CLIENT"},
        {"kind": None},
        {"unknown": {"a": [1]}, "status": {"message": "m"}},
        {"attributes": [{"key": "custom", "value": {"intValue": 42}}]},
        {"attributes": [{"key": "custom", "value": {"doubleValue": 42}}]},
        {"attributes": [{"key": "custom", "value": {"doubleValue": "42"}}]},
        {"parentSpanId": ""},
    ],
)
def test_json_spans_in_every_permitted_spelling(changes: dict[str, object]) -> None:
    raw = decode_json_spans(json_span(**changes))
    assert raw.reports[0].rejections.total == 0
    assert raw.trace_id[0].tobytes().hex() == "5b8efff798038103d269b633813fc60c"
    assert raw.span_id[0].tobytes().hex() == "eee19b7ec3c1b174"
    assert (raw.start_ns[0], raw.time_ns[0]) == (NOW_NS - SECOND, NOW_NS)
    assert raw.attributes["custom"].numbers.tolist() == [42.0]


@pytest.mark.parametrize(
    "changes",
    [
        {"traceId": "xyz"},
        {"traceId": 3},
        {"name": 3},
        {"kind": "NO_SUCH_KIND"},
        {"kind": 2**40},
        {"startTimeUnixNano": "soon"},
        {"startTimeUnixNano": -1},
        {"startTimeUnixNano": 1.5},
        {"startTimeUnixNano": True},
        {"endTimeUnixNano": "9" * 5000},
        {"attributes": {"custom": 1}},
        {"attributes": [3]},
        {"attributes": [{"key": "custom", "value": {"stringValue": "\ud800"}}]},
        {"name": "\ud800"},
    ],
)
def test_a_malformed_json_span_is_refused_alone(changes: dict[str, object]) -> None:
    raw = decode_json_spans(json_span(), json_span(**changes), 7)
    assert len(raw) == 1
    assert raw.reports[0].rejections.reasons == {"malformed": 2}


def test_json_status_by_number_and_by_name() -> None:
    spans = [json_span(status={"code": code}) for code in (2, "STATUS_CODE_ERROR", "2", 1, "STATUS_CODE_OK")]
    assert decode_json_spans(*spans).status_error.tolist() == [True, True, True, False, False]


def test_json_for_another_path_says_so() -> None:
    with pytest.raises(PayloadError, match=r"resourceLogs belong to /v1/logs"):
        decode_body(b'{"resourceLogs": []}')


def test_deeply_nested_json_values_are_refused() -> None:
    value: dict[str, object] = {"stringValue": "x"}
    for _ in range(150):
        value = {"arrayValue": {"values": [value]}}
    raw = decode_json_spans(json_span(attributes=[{"key": "custom", "value": value}]))
    assert raw.reports[0].rejections.reasons == {"malformed": 1}


ATTRIBUTE_VALUES = st.one_of(
    st.text(max_size=10),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.lists(st.text(max_size=5), max_size=3),
)


@settings(max_examples=60, deadline=None)
@given(values=st.lists(ATTRIBUTE_VALUES, min_size=1, max_size=5))
def test_json_and_protobuf_mean_the_same(values: list[object]) -> None:
    request = traces([span(number + 1, custom=value) for number, value in enumerate(values)])
    one, other = decode_body(request.SerializeToString(), "protobuf"), decode_body(to_json(request))
    assert other.raw.tolist() == one.raw.tolist()
    assert other.trace_id.tobytes() == one.trace_id.tobytes()
    assert other.attributes["custom"].strings.tolist() == one.attributes["custom"].strings.tolist()
    np.testing.assert_array_equal(other.attributes["custom"].numbers, one.attributes["custom"].numbers)


def to_json(request: ExportTraceServiceRequest) -> bytes:
    """OTLP/JSON by protobuf's own mapping, its base64 ids turned into hex."""
    document = MessageToDict(request)
    for frame, sent in zip(document["resourceSpans"], request.resource_spans, strict=True):
        for one, message in zip(frame["scopeSpans"][0]["spans"], sent.scope_spans[0].spans, strict=True):
            one["traceId"], one["spanId"] = message.trace_id.hex(), message.span_id.hex()
    return json.dumps(document).encode()
