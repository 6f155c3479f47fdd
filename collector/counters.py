"""The collector's own numbers, for /metrics: plain integers since the start, written by the ledger alone."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from functools import partial

from telemetry.deltas import OVERFLOW_GROUP

_MAX_MODELS = 200
"""Names of unpriced models that are told apart; a sender must not grow this table at will."""


_COMMIT_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_BATCH_REQUESTS = (1.0, 2.0, 4.0, 8.0, 16.0)


@dataclass(slots=True)
class Histogram:
    """How often values fell into each range; ``counts`` has one entry more than the upper ``bounds``."""

    bounds: tuple[float, ...]
    counts: list[int] = field(default_factory=list)
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = self.counts or [0] * (len(self.bounds) + 1)

    def observe(self, value: float) -> None:
        """Count ``value``."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


@dataclass(slots=True)
class Counters:
    """What happened to what was sent.

    Attributes:
        requests: requests received whole; bytes_received: their bodies as sent.
        requests_committed, requests_repeated: counted now, and recognised as counted before.
        requests_refused: turned away for overload or shutdown, with the request to come again.
        requests_invalid: refused for good, by HTTP status.
        commits, commit_failures: transactions; commit_s: how long they took, in seconds.
        batch_requests: requests that were prepared together.
        spans, log_records, feedback, metric_points: records committed.
        passed_over: log records that are neither inference logs nor feedback, and points that say there is no value.
        rejected: records refused, by reason.
        unpriced: inference spans without a cost, by model.
        ignored_values: attribute values beyond a limit.
        held_bytes: bodies held now, between the first byte and the answer.
        unanswered: requests received whole and not answered yet.
    """

    requests: int = 0
    bytes_received: int = 0
    requests_committed: int = 0
    requests_repeated: int = 0
    requests_refused: int = 0
    requests_invalid: Counter[int] = field(default_factory=Counter)
    commits: int = 0
    commit_failures: int = 0
    commit_s: Histogram = field(default_factory=partial(Histogram, _COMMIT_S))
    batch_requests: Histogram = field(default_factory=partial(Histogram, _BATCH_REQUESTS))
    spans: int = 0
    log_records: int = 0
    feedback: int = 0
    metric_points: int = 0
    passed_over: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    unpriced: Counter[str] = field(default_factory=Counter)
    ignored_values: int = 0
    held_bytes: int = 0
    unanswered: int = 0

    def add_unpriced(self, model: str, spans: int) -> None:
        """Count ``spans`` without a cost; beyond a few hundred models they share the name ``__overflow__``."""
        known = model in self.unpriced or len(self.unpriced) < _MAX_MODELS
        self.unpriced[model if known else OVERFLOW_GROUP] += spans
