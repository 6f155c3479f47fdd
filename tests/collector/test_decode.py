from __future__ import annotations

import json

import numpy as np
import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.decode import DECODERS, Encoding, RawColumns, Task
from collector.decode.rejections import REASONS
from collector.limits import Limits
from collector.normalise import FIELD_ATTRIBUTES
from telemetry.errors import PayloadError
from tests.collector.messages import NOW_NS, SECOND, log, logs, span, traces

TRACES = Task("span", FIELD_ATTRIBUTES | {"custom"}, NOW_NS)
LOGS = Task("log", FIELD_ATTRIBUTES | {"custom"}, NOW_NS)


def decode_body(encoding: Encoding, body: bytes, task: Task) -> RawColumns:
    raw = DECODERS[encoding]([body], task)
    (report,) = raw.reports
    if report.error is not None:
        raise report.error
    return raw


def decode(request: ExportTraceServiceRequest | ExportLogsServiceRequest, task: Task | None = None) -> RawColumns:
    chosen = task or (TRACES if isinstance(request, ExportTraceServiceRequest) else LOGS)
    return decode_body("protobuf", request.SerializeToString(), chosen)


def test_a_span_becomes_a_row_with_its_own_bytes() -> None:
    sent = span(7, duration_s=2, custom="x")
    sent.parent_span_id = b"\1" * 8
    raw = decode(traces([sent], service__name="svc"))
    assert raw.time_ns.tolist() == [NOW_NS]
    assert raw.start_ns.tolist() == [NOW_NS - 2 * SECOND]
    assert raw.trace_id[0].tobytes() == sent.trace_id
    assert raw.span_id[0].tobytes() == sent.span_id
    assert raw.parent_span_id[0].tobytes() == b"\1" * 8
    assert raw.name.tolist() == ["chat m"]
    assert raw.attributes["custom"].strings.tolist() == ["x"]
    assert Span.FromString(raw.raw[0]) == sent
    assert raw.resource_attributes["service.name"].strings.tolist() == ["svc"]
    assert Resource.FromString(raw.resources[0]).attributes[0].key == "service.name"


def test_raw_bytes_are_left_out_when_rows_are_not_kept() -> None:
    task = Task("span", FIELD_ATTRIBUTES, NOW_NS, keep_raw=False)
    assert decode(traces([span()]), task).raw.tolist() == []


def test_equal_resources_are_kept_once() -> None:
    request = traces([span(1)], service__name="a")
    request.MergeFrom(traces([span(2)], service__name="b"))
    request.MergeFrom(traces([span(3)], service__name="a"))
    raw = decode(request)
    assert len(raw.resources) == 2
    assert raw.resource.tolist() == [0, 1, 0]


def test_a_resource_after_its_spans_and_in_pieces_is_one_resource() -> None:
    first, second = Resource(), Resource()
    first.attributes.add(key="service.name").value.string_value = "svc"
    second.attributes.add(key="service.version").value.string_value = "v1"
    scope = traces([span()]).resource_spans[0].scope_spans[0].SerializeToString()

    def chunk(number: int, body: bytes) -> bytes:
        assert len(body) < 16384
        return bytes([number << 3 | 2, len(body) & 0x7F | 0x80, len(body) >> 7]) + body

    frame = chunk(1, first.SerializeToString()) + chunk(2, scope) + chunk(1, second.SerializeToString())
    raw = decode_body("protobuf", chunk(1, frame), TRACES)
    assert raw.resource_attributes["service.name"].strings.tolist() == ["svc"]
    assert raw.resource_attributes["service.version"].strings.tolist() == ["v1"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"trace_id": b"\1" * 15}, "bad_trace_id"),
        ({"trace_id": bytes(16)}, "bad_trace_id"),
        ({"trace_id": b""}, "bad_trace_id"),
        ({"span_id": b"\1" * 9}, "bad_span_id"),
        ({"span_id": bytes(8)}, "bad_span_id"),
        ({"parent_span_id": b"\1" * 7}, "bad_parent_span_id"),
        ({"start_time_unix_nano": 0}, "no_time"),
        ({"end_time_unix_nano": 0}, "no_time"),
        ({"end_time_unix_nano": NOW_NS - 2 * SECOND}, "end_before_start"),
        ({"end_time_unix_nano": NOW_NS + 3601 * SECOND}, "in_future"),
        ({"end_time_unix_nano": 2**64 - 1}, "in_future"),
    ],
)
def test_one_bad_span_is_refused_alone_and_by_reason(change: dict[str, object], reason: str) -> None:
    bad = span(2)
    for name, value in change.items():
        setattr(bad, name, value)
    raw = decode(traces([span(1), bad, span(3)]))
    assert [row.tobytes()[-1] for row in raw.trace_id] == [1, 3]
    assert raw.reports[0].rejections.reasons == {reason: 1}
    assert REASONS[reason] in raw.reports[0].rejections.message()


def test_a_span_whose_own_bytes_are_broken_is_refused_alone() -> None:
    request = traces([span(1), span(2, name="breakme"), span(3)])
    body = request.SerializeToString().replace(b"breakme", b"brea\xffme")
    raw = decode_body("protobuf", body, TRACES)
    assert len(raw) == 2
    assert raw.reports[0].rejections.reasons == {"malformed": 1}


def test_a_log_record_needs_no_trace_but_right_lengths() -> None:
    free, bad = log(1), log(2)
    free.trace_id, free.span_id = b"", b""
    bad.trace_id = b"\1" * 3
    raw = decode(logs([free, bad]))
    assert not raw.trace_id.any()
    assert raw.reports[0].rejections.reasons == {"bad_trace_id": 1}


def test_a_log_record_takes_the_observed_time_and_then_ours() -> None:
    observed, none = log(1), log(2)
    observed.time_unix_nano, observed.observed_time_unix_nano = 0, NOW_NS - 5
    none.time_unix_nano = 0
    assert decode(logs([observed, none])).time_ns.tolist() == [NOW_NS - 5, NOW_NS]


def test_the_old_event_name_attribute_is_read() -> None:
    assert decode(logs([log(event="", event__name="tailwatch.inference")])).name.tolist() == ["tailwatch.inference"]


def test_spans_sent_as_logs_are_refused_not_swallowed() -> None:
    sent = span()
    sent.ClearField("attributes")
    raw = decode_body("protobuf", traces([sent]).SerializeToString(), LOGS)
    assert len(raw) == 0
    assert raw.reports[0].rejections.total == 1


def test_logs_sent_as_spans_are_refused_not_swallowed() -> None:
    raw = decode_body("protobuf", logs([log(), log(2)]).SerializeToString(), TRACES)
    assert len(raw) == 0
    assert raw.reports[0].rejections.total == 2


@pytest.mark.parametrize(
    ("value", "text", "number"),
    [
        ("a", "a", None),
        (3, "", 3.0),
        (0.25, "", 0.25),
        (float("nan"), "", None),
        (float("inf"), "", None),
        (True, "true", None),
        (False, "false", None),
        (["stop", "length"], "stop", None),
        ([], "[]", None),
        ([{"role": "user"}], '[{"role":"user"}]', None),
        ({"a": 1, "b": [True, b"\1"]}, '{"a":1,"b":[true,"01"]}', None),
        (b"\1\2", "", None),
    ],
)
def test_values_become_texts_or_numbers(value: object, text: str, number: float | None) -> None:
    raw = decode(traces([span(custom=value), span(2, custom="filler")]))
    column = raw.attributes["custom"]
    assert column.strings.tolist() == [text, "filler"]
    assert column.numbers[0] == number if number is not None else np.isnan(column.numbers[0])


def test_features_beyond_the_limit_are_ignored_and_counted() -> None:
    task = Task("log", frozenset(), NOW_NS, limits=Limits(features=2))
    raw = decode(logs([log(values={f"tailwatch.feature.f{i}": i for i in range(5)})]), task)
    assert sorted(raw.attributes) == ["tailwatch.feature.f0", "tailwatch.feature.f1"]
    assert raw.reports[0].ignored_values == 3


def test_features_and_embeddings_cannot_blow_a_small_request_up() -> None:
    task = Task("log", frozenset(), NOW_NS, limits=Limits(cells=20))
    records = [
        log(i + 1, values={f"tailwatch.feature.f{i}": i, "tailwatch.embedding": [1.0, 2.0, 3.0]}) for i in range(10)
    ]
    raw = decode(logs(records), task)
    assert len(raw.attributes) == 2
    assert raw.embeddings is None
    assert raw.reports[0].ignored_values == 8 + 10


def test_embeddings_of_one_length_are_a_matrix() -> None:
    records = [
        log(1, tailwatch__embedding=[1.0, 2, 3.5]),
        log(2),
        log(3, tailwatch__embedding=[1.0]),
        log(4, tailwatch__embedding=["x", 1.0, 2.0]),
        log(5, tailwatch__embedding=[1e300, 0.0, 0.0]),
    ]
    raw = decode(logs(records))
    assert raw.embeddings is not None
    assert raw.embeddings[0].tolist() == [1, 2, 3.5]
    assert np.isnan(raw.embeddings[1:]).all()
    assert raw.reports[0].ignored_values == 3


def test_too_many_records_are_413_whether_good_or_bad() -> None:
    task = Task("span", frozenset(), NOW_NS, limits=Limits(records=3))
    assert len(decode(traces([span(1), span(2), span(3)]), task)) == 3
    for fourth in (span(4), Span()):
        with pytest.raises(PayloadError, match="more than 3 records") as caught:
            decode(traces([span(1), span(2), Span(), fourth]), task)
        assert caught.value.status == 413


def test_an_empty_request_is_no_records() -> None:
    for encoding, body in (("protobuf", b""), ("json", b"{}")):
        assert len(decode_body(encoding, body, TRACES)) == 0


def attempt(encoding: Encoding, body: bytes) -> RawColumns | PayloadError:
    try:
        return decode_body(encoding, body, TRACES)
    except PayloadError as error:
        return error


BODIES = st.binary(max_size=200)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A real request with some bytes changed, cut out or put in."""
    body = bytearray(traces([span(1, custom="x"), span(2)]).SerializeToString())
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(body) - 1))
        action = draw(st.sampled_from(["set", "cut", "put"]))
        if action == "set":
            body[at] = draw(st.integers(0, 255))
        elif action == "cut" and len(body) > 2:
            del body[at]
        else:
            body.insert(at, draw(st.integers(0, 255)))
    return bytes(body)


@pytest.mark.parametrize(
    ("unknown", "fine"),
    [
        (bytes([9 << 3 | 3, 9 << 3 | 4]), True),
        (bytes([9 << 3 | 3, 10 << 3 | 3, 10 << 3 | 4, 9 << 3 | 4]), True),
        (bytes([9 << 3 | 3, 10 << 3 | 4]), False),
        (bytes([9 << 3 | 3]), False),
        (bytes([9 << 3 | 4]), False),
        (bytes([9 << 3 | 3] * 200 + [9 << 3 | 4] * 200), False),
        (bytes([9 << 3 | 1]) + bytes(8), True),
        (bytes([9 << 3 | 1]) + bytes(7), False),
        (bytes([9 << 3 | 5]) + bytes(4), True),
        (bytes([9 << 3 | 0, 0x80]), False),
        (bytes([9 << 3 | 0]) + b"\x80" * 10 + b"\x01", False),
        (bytes([9 << 3 | 6]), False),
        (bytes([0]), False),
    ],
)
def test_unknown_fields_are_skipped_as_the_protobuf_library_does(unknown: bytes, fine: bool) -> None:
    body = traces([span()]).SerializeToString() + unknown
    try:
        ExportTraceServiceRequest.FromString(body)
        accepted = True
    except DecodeError:
        accepted = False
    assert accepted is fine
    raw = attempt("protobuf", body)
    assert isinstance(raw, RawColumns) is fine
    assert not fine or len(raw) == 1  # type: ignore[arg-type]


@settings(max_examples=150, deadline=None)
@given(body=st.one_of(BODIES, damaged()))
def test_hostile_bytes_decode_as_the_protobuf_library_says(body: bytes) -> None:
    try:
        expected = ExportTraceServiceRequest.FromString(body)
    except DecodeError:
        expected = None
    raw = attempt("protobuf", body)
    if isinstance(raw, PayloadError):
        assert raw.status == 400
        assert expected is None
        return
    if expected is not None:
        records = [one for frame in expected.resource_spans for scope in frame.scope_spans for one in scope.spans]
        assert len(raw) + raw.reports[0].rejections.total == len(records)
        assert raw.reports[0].rejections.reasons["malformed"] == 0


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
    outcome = attempt("json", json.dumps(document).encode())
    assert not isinstance(outcome, PayloadError) or outcome.status == 400


@pytest.mark.parametrize(
    "body", [b"[" * 200_000, b'{"resourceSpans":' * 5000, b"\xff\xfe", b"nonsense", b"[]", b"3", b'{"resourceSpans":3}']
)
def test_bodies_that_are_not_otlp_json_are_400(body: bytes) -> None:
    with pytest.raises(PayloadError) as caught:
        decode_body("json", body, TRACES)
    assert caught.value.status == 400


def test_json_that_is_all_brackets_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(PayloadError) as caught:
        decode_body("json", b"[" + b"{}," * 4_100_000 + b"{}]", TRACES)
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
    return decode_body("json", json.dumps(body).encode(), TRACES)


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
        decode_body("json", b'{"resourceLogs": []}', TRACES)


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
    one, other = decode(request), decode_body("json", to_json(request), TRACES)
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
