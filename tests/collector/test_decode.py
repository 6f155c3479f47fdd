"""What both decoders of protobuf, the library and the compiled one, make of requests; every test runs with each."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.decode import Decoder, RawColumns, Task
from collector.decode.protobuf import decode_protobuf
from collector.decode.rejections import REASONS
from collector.limits import Limits
from collector.normalise import FIELD_ATTRIBUTES
from telemetry.errors import PayloadError
from tests.collector.decode_cases import compiled
from tests.collector.messages import NOW_NS, SECOND, log, logs, span, traces

TRACES = Task("span", FIELD_ATTRIBUTES | {"custom"}, NOW_NS)
LOGS = Task("log", FIELD_ATTRIBUTES | {"custom"}, NOW_NS)


_chosen: Decoder = decode_protobuf


@pytest.fixture(params=["library", "compiled"], scope="module", autouse=True)
def decoder(request: pytest.FixtureRequest) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.modules[__name__], "_chosen", compiled() if request.param == "compiled" else decode_protobuf)
        yield


def decode_body(body: bytes, task: Task) -> RawColumns:
    raw = _chosen([body], task)
    (report,) = raw.reports
    if report.error is not None:
        raise report.error
    return raw


def decode(request: ExportTraceServiceRequest | ExportLogsServiceRequest, task: Task | None = None) -> RawColumns:
    chosen = task or (TRACES if isinstance(request, ExportTraceServiceRequest) else LOGS)
    return decode_body(request.SerializeToString(), chosen)


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
    raw = decode_body(chunk(1, frame), TRACES)
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
    raw = decode_body(body, TRACES)
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
    raw = decode_body(traces([sent]).SerializeToString(), LOGS)
    assert len(raw) == 0
    assert raw.reports[0].rejections.total == 1


def test_logs_sent_as_spans_are_refused_not_swallowed() -> None:
    raw = decode_body(logs([log(), log(2)]).SerializeToString(), TRACES)
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
    assert len(decode_body(b"", TRACES)) == 0


def attempt(body: bytes) -> RawColumns | PayloadError:
    try:
        return decode_body(body, TRACES)
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
    raw = attempt(body)
    assert isinstance(raw, RawColumns) is fine
    assert not fine or len(raw) == 1  # type: ignore[arg-type]


@settings(max_examples=150, deadline=None)
@given(body=st.one_of(BODIES, damaged()))
def test_hostile_bytes_decode_as_the_protobuf_library_says(body: bytes) -> None:
    try:
        expected = ExportTraceServiceRequest.FromString(body)
    except DecodeError:
        expected = None
    raw = attempt(body)
    if isinstance(raw, PayloadError):
        assert raw.status == 400
        assert expected is None
        return
    if expected is not None:
        records = [one for frame in expected.resource_spans for scope in frame.scope_spans for one in scope.spans]
        assert len(raw) + raw.reports[0].rejections.total == len(records)
        assert raw.reports[0].rejections.reasons["malformed"] == 0
