"""Whether a record can be used: ids of the right length, times in order and not in the future. It changes nothing."""

from __future__ import annotations

from typing import Final

from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

NO_TRACE_ID: Final = bytes(16)
NO_SPAN_ID: Final = bytes(8)


def span_fault(span: Span, latest_ns: int) -> str | None:
    """Why ``span`` is refused, a key of ``REASONS``; None when it is fine. ``latest_ns`` is the end of time."""
    if len(span.trace_id) != 16 or span.trace_id == NO_TRACE_ID:
        return "bad_trace_id"
    if len(span.span_id) != 8 or span.span_id == NO_SPAN_ID:
        return "bad_span_id"
    if len(span.parent_span_id) not in (0, 8):
        return "bad_parent_span_id"
    start, end = span.start_time_unix_nano, span.end_time_unix_nano
    if not start or not end:
        return "no_time"
    if end < start:
        return "end_before_start"
    return "in_future" if end > latest_ns else None


def log_fault(record: LogRecord, latest_ns: int) -> str | None:
    """Why ``record`` is refused, as for a span; a log record need not belong to a trace."""
    if len(record.trace_id) not in (0, 16):
        return "bad_trace_id"
    if len(record.span_id) not in (0, 8):
        return "bad_span_id"
    time_ns = record.time_unix_nano or record.observed_time_unix_nano
    if not time_ns and not record.event_name and not record.HasField("body"):
        return "empty"
    return "in_future" if time_ns > latest_ns else None
