"""Counts what came back and how long it took, as the client saw it."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

Outcome = Literal["ok", "error", "throttled"]
_QUANTILES = {"p50": 50, "p95": 95, "p99": 99, "max": 100}


@dataclass(slots=True)
class Summary:
    """Totals of one run; latencies in seconds by operation, ``ttft`` for streamed generations."""

    sent: int = 0
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    skipped: int = 0
    cache_hits: int = 0
    latency_s: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def record(self, operation: str, status: str, latency_s: float) -> None:
        """Takes one answer; ``status`` is an HTTP status or the name of what went wrong below HTTP."""
        self.statuses[status] += 1
        outcome: Outcome = "ok" if status == "200" else "throttled" if status in {"429", "503"} else "error"
        self.outcomes[outcome] += 1
        if outcome == "ok":
            self.latency_s[operation].append(latency_s)

    def as_dict(self) -> dict[str, Any]:
        """What ``load`` prints."""
        return {
            "sent": self.sent,
            "ok": self.outcomes["ok"],
            "errors": self.outcomes["error"],
            "throttled": self.outcomes["throttled"],
            "skipped": self.skipped,
            "cache_hits": self.cache_hits,
            "statuses": dict(sorted(self.statuses.items())),
            "latency_s": {
                name: {key: round(float(np.percentile(values, q)), 4) for key, q in _QUANTILES.items()}
                for name, values in sorted(self.latency_s.items())
                if values
            },
        }
