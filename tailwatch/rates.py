"""How fast telemetry came in over the last minutes, from samples of the counters; it counts nothing itself."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from collector.counters import Counters
from telemetry.windows import NANOS

SAMPLE_NS: Final = 5 * NANOS
_RECENT_NS: Final = 60 * NANOS
_SAMPLES: Final = 61
"""Five minutes of samples."""


@dataclass(frozen=True, slots=True)
class _Sample:
    at_ns: int
    requests: int
    records: int
    received_bytes: int


class Rates:
    """Rates of what one process took in; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._samples: deque[_Sample] = deque(maxlen=_SAMPLES)

    def sample(self, counters: Counters, now_ns: int) -> None:
        """Remember how the counters stand at ``now_ns``."""
        records = counters.spans + counters.log_records + counters.feedback
        with self._lock:
            self._samples.append(_Sample(now_ns, counters.requests, records, counters.bytes_received))

    def document(self) -> dict[str, Any]:
        """Per second over the last minute, None before there are two samples; records per second between samples."""
        with self._lock:
            samples = list(self._samples)
        recent = [one for one in samples if one.at_ns >= samples[-1].at_ns - _RECENT_NS]
        first, last = (recent[0], recent[-1]) if len(recent) > 1 else (None, None)
        return {
            "over_s": 0.0 if first is None or last is None else (last.at_ns - first.at_ns) / NANOS,
            "requests_per_s": _rate(first, last, "requests"),
            "records_per_s": _rate(first, last, "records"),
            "bytes_per_s": _rate(first, last, "received_bytes"),
            "history": [
                {"t": after.at_ns / NANOS, "records_per_s": _rate(before, after, "records")}
                for before, after in pairwise(samples)
            ],
        }


def _rate(first: _Sample | None, last: _Sample | None, name: str) -> float | None:
    if first is None or last is None or last.at_ns <= first.at_ns:
        return None
    amount: int = getattr(last, name) - getattr(first, name)
    return amount * NANOS / (last.at_ns - first.at_ns)
