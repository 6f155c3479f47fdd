"""The requests of the benchmarks have the shape that the documents state, and no two of them are equal."""

from __future__ import annotations

import gzip

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from benchmarks.payloads import ATTRIBUTES, NOW_NS, SERVICE, SPANS, trace_body
from benchmarks.rig.bodies import FreshBodies, NumberedBodies


def spans_of(body: bytes):
    request = ExportTraceServiceRequest.FromString(body)
    return [span for resource in request.resource_spans for scope in resource.scope_spans for span in scope.spans]


def test_a_request_has_the_stated_shape() -> None:
    body = trace_body(1)
    spans = spans_of(body)
    assert len(spans) == SPANS
    assert {len(span.attributes) for span in spans} == {ATTRIBUTES}
    assert 450 <= len(body) / SPANS <= 510
    assert all(NOW_NS - 1e9 <= span.end_time_unix_nano <= NOW_NS for span in spans)
    assert all(span.start_time_unix_nano < span.end_time_unix_nano for span in spans)
    assert sum(any(each.key == "error.type" for each in span.attributes) for span in spans) > 0


@pytest.mark.parametrize(("count", "a_trace"), [(1, 4), (7, 3), (64, 1), (64, 100)])
def test_traces_are_trees_with_ids_of_their_own(count: int, a_trace: int) -> None:
    spans = spans_of(trace_body(5, count, spans_a_trace=a_trace))
    assert len({span.span_id for span in spans}) == count
    traces = {}
    for span in spans:
        traces.setdefault(span.trace_id, []).append(span)
    assert len(traces) == -(-count // a_trace)
    for root, *children in traces.values():
        assert not root.parent_span_id
        assert {child.parent_span_id for child in children} <= {root.span_id}


def test_what_is_written_in_later_leaves_the_rest_as_it_was() -> None:
    one, other = spans_of(trace_body(3)), spans_of(trace_body(3 + 16))
    for mine, theirs in zip(one, other, strict=True):
        assert mine.name == theirs.name
        assert list(mine.attributes) == list(theirs.attributes)
        assert {mine.trace_id, mine.span_id}.isdisjoint({theirs.trace_id, theirs.span_id})


def test_bodies_are_reproducible_and_distinct() -> None:
    assert trace_body(1) == trace_body(1)
    assert len({trace_body(seed, 8) for seed in range(40)}) == 40
    assert spans_of(trace_body(1, 2, now_ns=NOW_NS + 5))[0].end_time_unix_nano == (
        spans_of(trace_body(1, 2))[0].end_time_unix_nano + 5
    )


@pytest.mark.parametrize("compressed", [False, True])
def test_numbered_bodies_are_whole_requests_and_distinct(compressed: bool) -> None:
    source = NumberedBodies(1, 16, 4, compressed=compressed)
    other = NumberedBodies(2, 16, 4, compressed=compressed)
    sent = [source.next() for _ in range(20)] + [other.next() for _ in range(20)]
    assert len(set(sent)) == 40
    bodies = [gzip.decompress(body) for body in sent] if compressed else sent
    assert source.compression == ("gzip" if compressed else None)
    assert len(set(bodies)) == 40
    assert {len(spans_of(body)) for body in bodies} == {16}


def test_fresh_bodies_repeat_no_id() -> None:
    source = FreshBodies(1, 16, 4)
    ids = [span.span_id for _ in range(40) for span in spans_of(source.next())]
    assert len(set(ids)) == 40 * 16


def test_the_service_is_the_one_that_the_slos_of_the_benchmarks_count() -> None:
    request = ExportTraceServiceRequest.FromString(trace_body(0, 1))
    named = {each.key: each.value.string_value for each in request.resource_spans[0].resource.attributes}
    assert named["service.name"] == SERVICE
