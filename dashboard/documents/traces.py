"""Traces: found by a search, and one with its spans."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from dashboard.documents.document import Document


class TraceSummary(Document):
    """A trace as a search shows it."""

    trace_id: str
    name: str = ""
    service: str = ""
    operation: str | None = None
    model: str | None = None
    start: float
    duration: float
    error_type: str | None = None
    input_type: str | None = None


class Traces(Document):
    """The result of a search."""

    traces: list[TraceSummary]


class Span(Document):
    """One span of a trace."""

    span_id: str
    parent_span_id: str | None = None
    name: str = ""
    service: str = ""
    start: float
    duration: float
    error_type: str | None = None
    attributes: dict[str, Any] = Field(default_factory=dict)


class Trace(Document):
    """All stored spans of one trace."""

    trace_id: str
    spans: list[Span]
