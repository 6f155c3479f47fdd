"""What an incident's diagnosis rests on."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from dashboard.documents.document import Document, Labels


class Budget(Document):
    """What is left of the error budget when the incident was diagnosed."""

    remaining: float | None = None
    objective: float | None = None


class BurnEvidence(Document):
    """One burn-rate rule and the burn that was measured in both of its windows."""

    long: str
    short: str
    factor: float
    long_burn: float | None = None
    short_burn: float | None = None


class Attribution(Document):
    """How much of the excess badness one slice of the traffic explains."""

    dimension: str
    value: str
    labels: Labels = Field(default_factory=dict)
    bad: float | None = None
    total: float | None = None
    excess_share: float | None = None

    @property
    def slice(self) -> Labels:
        """The slice by its labels; an older service names one dimension only."""
        return self.labels or {self.dimension: self.value}


class TailPart(Document):
    """How much one part of the request contributes to the longer tail."""

    part: str
    before_s: float | None = None
    after_s: float | None = None
    share: float | None = None


class Change(Document):
    """Something that changed about when the incident began."""

    what: str
    before: Any = None
    after: Any = None
    text: str | None = None


class Exemplar(Document):
    """A trace that shows the problem."""

    trace_id: str
    duration_s: float | None = None
    error_type: str | None = None


class DriftField(Document):
    """The drift test of one field."""

    field: str
    p_value: float | None = None
    effect: float | None = None
    method: str | None = None


class Evidence(Document):
    """What the diagnosis rests on; parts that do not apply to a cause are absent."""

    summary: str | None = None
    cause: str | None = None
    confidence: float | None = None
    slice: Labels = Field(default_factory=dict)
    budget: Budget | None = None
    burn: list[BurnEvidence] = Field(default_factory=list)
    attribution: list[Attribution] = Field(default_factory=list)
    tail: list[TailPart] = Field(default_factory=list)
    changes: list[Change] = Field(default_factory=list)
    exemplars: list[Exemplar] = Field(default_factory=list)
    drift: list[DriftField] = Field(default_factory=list)
    report: str | None = None
