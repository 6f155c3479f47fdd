"""What was sent, what was acknowledged, what was found: the ledger of a fault, and the rules that it is judged by."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

SPACING_NS = 1_000_000
"""Between the times of two payloads, so that the rows of one can be asked for without those of others."""
_HOUR_NS = 3600 * 10**9
_SHOWN = 5
"""Examples in a sentence."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One payload: ``spans`` spans of ``tenant`` with ids from ``first_id`` on, the first ``bad`` of them failed."""

    number: int
    tenant: str
    first_id: int
    spans: int
    bad: int
    time_ns: int

    @property
    def ids(self) -> range:
        return range(self.first_id, self.first_id + self.spans)


@dataclass(frozen=True, slots=True)
class Found:
    """What the server says it has: how often each span id is stored, and good and total events by tenant."""

    stored: Mapping[int, int]
    counted: Mapping[str, tuple[int, int]]


class Ledger:
    """Everything that senders sent and were told; for use by many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._started_ns = time.time_ns() - _HOUR_NS
        self._next_id = 1
        self._sent: list[Sent] = []
        self._acknowledged: set[int] = set()
        self.answers: Counter[str] = Counter()
        """Answers other than an acknowledgement, and lost connections, by name."""

    def next(self, tenant: str, spans: int, bad: int = 0) -> Sent:
        """A payload that nobody sent before."""
        with self._lock:
            number = len(self._sent)
            sent = Sent(number, tenant, self._next_id, spans, bad, self._started_ns + number * SPACING_NS)
            self._next_id += spans
            self._sent.append(sent)
            return sent

    def acknowledge(self, sent: Sent) -> None:
        with self._lock:
            self._acknowledged.add(sent.number)

    def note(self, answer: str) -> None:
        with self._lock:
            self.answers[answer] += 1

    @property
    def sent(self) -> list[Sent]:
        with self._lock:
            return list(self._sent)

    @property
    def acknowledged(self) -> set[int]:
        with self._lock:
            return set(self._acknowledged)

    @property
    def acknowledged_spans(self) -> int:
        acknowledged = self.acknowledged
        return sum(sent.spans for sent in self.sent if sent.number in acknowledged)


def problems(sent: Collection[Sent], acknowledged: Collection[int], found: Found) -> list[str]:
    """One sentence for each way in which ``found`` breaks a promise; none when everything is as it must be.

    The promises: a payload is stored whole or not at all, an acknowledged one is stored, no span is stored twice,
    nothing is stored that nobody sent, and the counters agree with the rows.
    """
    stored = found.stored
    known = {number for one in sent for number in one.ids}
    lost = [one for one in sent if one.number in acknowledged and not all(stored.get(i) for i in one.ids)]
    torn = [one for one in sent if 0 < sum(1 for i in one.ids if stored.get(i)) < one.spans]
    sentences = [
        _sentence("acknowledged and not stored: payload", [one.number for one in lost]),
        _sentence("stored in part: payload", [one.number for one in torn]),
        _sentence("stored more than once: span", [i for i, times in stored.items() if times > 1]),
        _sentence("stored and never sent: span", [i for i in stored if i not in known]),
    ]
    expected = _by_tenant(sent, stored)
    for tenant in sorted(expected.keys() | found.counted.keys()):
        rows, counted = expected.get(tenant, (0, 0)), found.counted.get(tenant, (0, 0))
        if rows != counted:
            sentences.append(f"{tenant}: rows say good, total = {rows}, counters say {counted}")
    return [sentence for sentence in sentences if sentence]


def _by_tenant(sent: Iterable[Sent], stored: Mapping[int, int]) -> dict[str, tuple[int, int]]:
    """Good and total events of the stored rows, each row counted as often as it is stored."""
    sums: dict[str, tuple[int, int]] = {}
    for one in sent:
        total = sum(stored.get(i, 0) for i in one.ids)
        good = sum(stored.get(i, 0) for i in one.ids[one.bad :])
        if total:
            before = sums.get(one.tenant, (0, 0))
            sums[one.tenant] = (before[0] + good, before[1] + total)
    return sums


def _sentence(what: str, which: list[int]) -> str:
    if not which:
        return ""
    more = f" and {len(which) - _SHOWN} more" if len(which) > _SHOWN else ""
    return f"{what} {', '.join(map(str, which[:_SHOWN]))}{more}"
