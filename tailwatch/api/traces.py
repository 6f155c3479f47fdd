"""Traces: the newest requests that match, and every span of one trace with the attributes that it was sent with."""

from __future__ import annotations

import math
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValueList
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from storage import spans
from storage.spans import SpanRow
from storage.statements import storable
from tailwatch.api.context import Context, context
from tailwatch.api.needs import needs
from telemetry.errors import NotFoundError
from telemetry.windows import NANOS

router = APIRouter(prefix="/api/v1/traces", tags=["traces"])

_NO_NUMBER = {math.inf: "Infinity", -math.inf: "-Infinity"}
"""What JSON cannot hold as a number, as ProtoJSON writes it."""


@router.get("", dependencies=needs("read"))
def search_traces(
    ctx: Annotated[Context, Depends(context)],
    service: str | None = None,
    operation: str | None = None,
    model_version: str | None = None,
    input_type: str | None = None,
    error: bool | None = None,
    min_duration: Annotated[float | None, Query(ge=0, le=1e9, description="seconds")] = None,
    start: Annotated[float | None, Query(description="seconds since the epoch; default: an hour ago")] = None,
    end: Annotated[float | None, Query(description="seconds since the epoch; default: now")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, Any]:
    """Inference requests, newest first."""
    start_ns, end_ns = ctx.range_ns(start, end, default_s=3600)
    named = {"service": service, "operation": operation, "model_version": model_version, "input_type": input_type}
    where = {name: storable(value) for name, value in named.items() if value is not None}
    rows = spans.search(
        ctx.database, start_ns, end_ns, error=error, min_duration_s=min_duration, where=where, limit=limit
    )
    return {"traces": [_request(row) for row in rows]}


@router.get("/{trace_id}", dependencies=needs("read"))
def get_trace(ctx: Annotated[Context, Depends(context)], trace_id: str) -> dict[str, Any]:
    """Every span of a trace, by start."""
    rows = spans.trace(ctx.database, trace_id)
    if not rows:
        raise NotFoundError(
            f"no span of trace {trace_id} is stored", where="traces",
            remedy="check the id (32 hex digits), or whether its retention has passed",
        )  # fmt: skip
    return {"trace_id": rows[0].trace_id, "spans": [_span(row) for row in rows]}


def _request(row: SpanRow) -> dict[str, Any]:
    names = ("service", "operation", "model", "model_version", "error_type", "input_type", "tenant")
    return {
        "trace_id": row.trace_id,
        "span_id": row.span_id,
        "name": row.name,
        "start": row.start_ns / NANOS,
        "duration": row.duration_s,
        **{name: row.strings.get(name, "") for name in names},
    }


def _span(row: SpanRow) -> dict[str, Any]:
    return {
        "span_id": row.span_id,
        "parent_span_id": row.parent_span_id,
        "name": row.name,
        "service": row.strings.get("service", ""),
        "start": row.start_ns / NANOS,
        "duration": row.duration_s,
        "error_type": row.strings.get("error_type", ""),
        "attributes": _attributes(row),
    }


def _attributes(row: SpanRow) -> dict[str, Any]:
    if not row.raw:
        return {**row.strings, **row.numbers}
    return {one.key: _plain(one.value) for one in Span.FromString(row.raw).attributes}


def _plain(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    found = getattr(value, kind)
    if kind == "array_value":
        return [_plain(item) for item in found.values]
    if isinstance(found, KeyValueList):
        return {one.key: _plain(one.value) for one in found.values}
    if isinstance(found, float) and not math.isfinite(found):
        return _NO_NUMBER.get(found, "NaN")
    return found.hex() if isinstance(found, bytes) else found
