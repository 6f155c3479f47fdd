"""Why single records are refused, counted by reason and told to the sender; a refused record never fails its batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from telemetry.errors import PayloadError

REASONS: Final[Mapping[str, str]] = {
    "bad_trace_id": "trace_id is not 16 bytes, or all zero",
    "bad_span_id": "span_id is not 8 bytes, or all zero",
    "bad_parent_span_id": "parent_span_id is not 8 bytes",
    "no_time": "start or end time is missing",
    "end_before_start": "the end lies before the start",
    "in_future": "the time lies too far in the future (is the sender's clock right?)",
    "malformed": "the record cannot be decoded",
    "feedback_without_request": "feedback names no trace and span",
    "empty": "the log record has neither time, event name nor body (is it a span sent to /v1/logs?)",
    "no_name": "the metric has no name, or one of more than 255 characters",
    "no_data": "the metric holds no data of a known kind, or the point no value",
    "no_temporality": "the sum or histogram is neither delta nor cumulative",
    "not_finite": "the value is NaN or infinite",
    "bad_buckets": "bounds do not ascend or are more than 1,024, or counts do not fit the bounds or the total",
    "too_many_attributes": "the point has more than 64 attributes, or more than 8 KiB of them",
    "too_many_metrics": "there are too many metrics already (max_groups)",
    "too_many_series": "the service has too many series already (max_groups), and cumulative ones cannot be joined",
}
"""Every reason, and how it reads."""


@dataclass(slots=True)
class Rejections:
    """Refused records of one request by reason (a key of ``REASONS``)."""

    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, reason: str) -> None:
        """Count one more."""
        self.reasons[reason] += 1

    @property
    def total(self) -> int:
        """How many records were refused."""
        return sum(self.reasons.values())

    def message(self) -> str:
        """One sentence for the sender; empty when nothing was refused."""
        return "; ".join(f"{count} refused: {REASONS[reason]}" for reason, count in self.reasons.most_common())


def too_many_records(most: int) -> PayloadError:
    """A request holds more than it may, see ``Limits.records``."""
    return PayloadError(f"the request holds more than {most} records", status=413, remedy="send smaller batches")
