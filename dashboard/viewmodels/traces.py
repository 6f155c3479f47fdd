"""Traces: the search result, and one trace's spans from parent to child; it tolerates spans that never arrived."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import tzinfo

from dashboard import formats
from dashboard.components.grid import Cell, Column, Grid, Row
from dashboard.components.place import Place
from dashboard.components.tiles import Tile
from dashboard.components.waterfall import Bar, Waterfall
from dashboard.documents.traces import Span, Trace, TraceSummary

_STAGES = ("queue", "prefill", "decode")


def grid(traces: Sequence[TraceSummary], now: float, tz: tzinfo) -> Grid:
    """The traces that were found, the newest first."""
    longest = max((one.duration for one in traces), default=0.0) or 1.0
    rows = [_row(one, longest, now, tz) for one in sorted(traces, key=lambda trace: -trace.start)]
    columns = (
        Column("Trace"),
        Column("Service"),
        Column("Model"),
        Column("Input type"),
        Column("Start", "right"),
        Column("Duration"),
        Column("Error"),
    )
    return Grid("traces", columns, rows, "No trace matches; widen the filters or the time range.")


def _row(one: TraceSummary, longest: float, now: float, tz: tzinfo) -> Row:
    cells = [
        Cell(one.name or one.operation or one.trace_id, sub=one.trace_id),
        Cell(one.service),
        Cell(one.model or formats.ABSENT),
        Cell(one.input_type or formats.ABSENT),
        Cell(formats.clock(one.start, tz, now), sort=one.start),
        Cell(
            formats.seconds(one.duration),
            sort=one.duration,
            kind="bar",
            fill=one.duration / longest,
            tone="exhausted" if one.error_type else "accent",
        ),
        Cell(one.error_type or "", tone="exhausted" if one.error_type else None),
    ]
    return Row(one.trace_id, cells, Place("traces", {"trace": one.trace_id}))


def tiles(trace: Trace, now: float, tz: tzinfo) -> list[Tile]:
    """The figures at the top of a trace's page."""
    start, length = _extent(trace.spans)
    errors = [span.error_type for span in trace.spans if span.error_type]
    services = sorted({span.service for span in trace.spans if span.service})
    return [
        Tile("Duration", formats.seconds(length), f"started {formats.clock(start, tz, now, exact=True)}"),
        Tile("Spans", str(len(trace.spans)), ", ".join(services)),
        Tile("Errors", str(len(errors)), ", ".join(sorted(set(errors))), "exhausted" if errors else "ok"),
    ]


def waterfall(trace: Trace) -> Waterfall:
    """The spans on a common axis, children under their parents in the order of their start.

    A span whose parent is not stored (it was sampled out, or has not arrived) stands as a root of its own.
    """
    start, length = _extent(trace.spans)
    scale = length or 1e-9
    bars = [_bar(span, depth, start, scale) for span, depth in _ordered(trace.spans)]
    ticks = [(part / 4, formats.seconds(length * part / 4)) for part in range(5)]
    return Waterfall(trace.trace_id, bars, ticks)


def stage_facts(span: Span) -> list[tuple[str, float]]:
    """Queue, prefill and decode seconds where the span's attributes tell them."""
    found = []
    for stage in _STAGES:
        value = span.attributes.get(f"tailwatch.{stage}.duration")
        if isinstance(value, int | float) and not isinstance(value, bool):
            found.append((stage, float(value)))
    return found


def _bar(span: Span, depth: int, start: float, scale: float) -> Bar:
    facts = [
        ("span id", span.span_id),
        *([("error", span.error_type)] if span.error_type else []),
        *((key, _text(value)) for key, value in sorted(span.attributes.items())),
    ]
    label = formats.seconds(span.duration) + (f" · {span.error_type}" if span.error_type else "")
    return Bar(
        id=span.span_id,
        name=span.name or "unnamed span",
        service=span.service,
        depth=depth,
        offset=min(1.0, max(0.0, (span.start - start) / scale)),
        width=min(1.0, max(0.0, span.duration / scale)),
        label=label,
        tone="exhausted" if span.error_type else "accent",
        facts=facts,
    )


def _extent(spans: Sequence[Span]) -> tuple[float, float]:
    start = min((span.start for span in spans), default=0.0)
    return start, max((span.start + span.duration for span in spans), default=start) - start


def _ordered(spans: Sequence[Span]) -> list[tuple[Span, int]]:
    known = {span.span_id for span in spans}
    children: dict[str | None, list[Span]] = {}
    for span in sorted(spans, key=lambda one: (one.start, one.span_id)):
        parent = span.parent_span_id if span.parent_span_id in known else None
        children.setdefault(None if parent == span.span_id else parent, []).append(span)
    ordered: list[tuple[Span, int]] = []
    seen: set[str] = set()
    waiting = [(span, 0) for span in reversed(children.get(None, []))]
    while waiting:
        span, depth = waiting.pop()
        if span.span_id in seen:
            continue
        seen.add(span.span_id)
        ordered.append((span, depth))
        waiting += [(child, depth + 1) for child in reversed(children.get(span.span_id, []))]
    # spans that name each other as parents have no root; they are shown all the same
    ordered += [(span, 0) for span in spans if span.span_id not in seen]
    return ordered


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
