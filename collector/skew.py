"""How far each sender's clock is from ours, as far as arrival times can tell; it corrects no time and refuses nothing.

A record arrives after it ended. So with one clock the lag, arrival minus the newest end in a batch, is the delay of
the exporter and the network (an SDK's batches wait up to 5 s), and never negative. With the sender's clock ahead by
``s`` the lag is the delay minus ``s``. The delay is unknown, hence the two sides are known differently well:

- **ahead**: a negative lag proves it. The clock is ahead by at least ``-lag``; the batch with the shortest delay
  proves most, so the smallest lag of the window is what is told.
- **behind**: ``s`` below zero only adds to the delay, and lateness looks the same. The smallest lag of the window
  bounds it: the clock is behind by at most that, and what it sends is late by at most that.

So one number, the smallest lag within five minutes of sending, bounds the clock from both sides. The median lag is
how old the newest record of a batch usually is on arrival: the freshness that alerts can count on.

The arrival is when a batch is prepared, so time spent waiting in the collector counts as delay, and an error of the
collector's own clock is seen in every source at once.
"""

from __future__ import annotations

import statistics
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np

from telemetry.columns import Columns, StringColumn
from telemetry.deltas import OVERFLOW_GROUP
from telemetry.windows import NANOS

MAX_SOURCES: Final = 1000
"""Sources that are told apart; what further ones send is observed as one source, ``__overflow__``."""
WINDOW_S: Final = 300
"""What the numbers of a source are taken over, back from its last batch; it moves on by half minutes."""
AHEAD_WARNS_S: Final = 1.0
"""NTP keeps clocks within tens of milliseconds; a second is a clock that nobody sets."""
BEHIND_WARNS_S: Final = 60.0
"""Twelve times the delay of an SDK's batches: beyond it the clock is behind or the data late, either one a fault."""

_SLOT_NS: Final = 30 * NANOS
_SLOTS: Final = WINDOW_S * NANOS // _SLOT_NS
_RECENT: Final = 63
"""Batches of the window that the median is taken of."""
_IDLE_NS: Final = 3600 * NANOS
"""A source unseen for an hour gives its place to a new one: instances come and go."""

Concern = Literal["", "ahead", "behind_or_late"]
Source = tuple[str, str]
_OVERFLOW: Final[Source] = (OVERFLOW_GROUP, OVERFLOW_GROUP)


@dataclass(frozen=True, slots=True)
class SourceClock:
    """One sender's clock against ours.

    Attributes:
        service, instance: ``service.name`` and ``service.instance.id``; ``""`` when not sent.
        last_seen_ns: when its last batch arrived.
        batches: so far.
        lag_min_s: the smallest lag of the window; below zero the clock is ahead by at least that much, above zero
            it is behind by at most that much.
        lag_median_s: the median lag of the window's newest batches.
    """

    service: str
    instance: str
    last_seen_ns: int
    batches: int
    lag_min_s: float
    lag_median_s: float

    @property
    def ahead_s(self) -> float:
        """How far the clock is ahead at least; 0 when nothing proves that it is."""
        return max(0.0, -self.lag_min_s)

    @property
    def concern(self) -> Concern:
        """What somebody should look into."""
        if self.ahead_s >= AHEAD_WARNS_S:
            return "ahead"
        return "behind_or_late" if self.lag_min_s >= BEHIND_WARNS_S else ""


@dataclass(slots=True)
class _State:
    """What is remembered of one source: the smallest lag of each half minute, and the newest lags."""

    last_seen_ns: int = 0
    batches: int = 0
    smallest: dict[int, int] = field(default_factory=dict)
    recent: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=_RECENT))

    def add(self, lag_ns: int, now_ns: int) -> None:
        slot = now_ns // _SLOT_NS
        smallest = self.smallest.get(slot)
        if smallest is None or lag_ns < smallest:
            self.smallest[slot] = lag_ns
        if smallest is None and len(self.smallest) > _SLOTS:
            self.smallest = {one: lag for one, lag in self.smallest.items() if one > slot - _SLOTS}
        self.recent.append((slot, lag_ns))
        self.last_seen_ns = now_ns
        self.batches += 1

    def clock(self, source: Source) -> SourceClock:
        begin = self.last_seen_ns // _SLOT_NS - _SLOTS
        least = min(lag for slot, lag in self.smallest.items() if slot > begin)
        median = statistics.median(lag for slot, lag in self.recent if slot > begin)
        return SourceClock(*source, self.last_seen_ns, self.batches, least / NANOS, median / NANOS)


class SourceClocks:
    """The clocks of all senders, bounded in number; safe to share between threads."""

    def __init__(self, max_sources: int = MAX_SOURCES) -> None:
        self._max = max_sources
        self._lock = threading.Lock()
        self._states: dict[Source, _State] = {}

    def observe(self, columns: Columns, now_ns: int) -> None:
        """Take note of a batch that arrived at ``now_ns``: the newest record of each source in it."""
        if not len(columns):
            return
        newest = _newest(columns)
        with self._lock:
            for source, newest_ns in newest.items():
                self._state(source, now_ns).add(now_ns - newest_ns, now_ns)

    def sources(self, now_ns: int) -> list[SourceClock]:
        """Every source seen within the hour before ``now_ns``, by service and instance."""
        with self._lock:
            found = [
                state.clock(source)
                for source, state in self._states.items()
                if now_ns - state.last_seen_ns < _IDLE_NS
            ]  # fmt: skip
        return sorted(found, key=lambda one: (one.service, one.instance))

    def _state(self, source: Source, now_ns: int) -> _State:
        state = self._states.pop(source, None)
        if state is None and len(self._states) >= self._max:
            # Insertion order is order of last sight, so the source that was silent longest is at the front.
            oldest = next(iter(self._states))
            if now_ns - self._states[oldest].last_seen_ns < _IDLE_NS:
                source = _OVERFLOW
                state = self._states.pop(_OVERFLOW, None)
            else:
                del self._states[oldest]
        found = self._states[source] = state or _State()
        return found


def _newest(columns: Columns) -> Mapping[Source, int]:
    """Each source in the batch and the newest time (ns) of its records.

    What one resource sent lies together, so runs of equal sources are few; each is reduced at once.
    """
    service, instance = columns.string("service"), columns.string("instance")
    if _is_one(service) and _is_one(instance):
        return {(_value(service, service.codes[0]), _value(instance, instance.codes[0])): int(columns.time_ns.max())}
    changes = (service.codes[1:] != service.codes[:-1]) | (instance.codes[1:] != instance.codes[:-1])
    starts = np.concatenate([[0], np.flatnonzero(changes) + 1])
    newest_ns = np.maximum.reduceat(columns.time_ns, starts).tolist()
    found: dict[Source, int] = {}
    for first, time_ns in zip(starts.tolist(), newest_ns, strict=True):
        source = _value(service, service.codes[first]), _value(instance, instance.codes[first])
        found[source] = max(found.get(source, time_ns), time_ns)
    return found


def _is_one(column: StringColumn) -> bool:
    """Whether every row has the same value; a column without values is all missing."""
    return not column.values or (len(column.values) == 1 and not column.codes.any())


def _value(column: StringColumn, code: int) -> str:
    return column.values[code] if code >= 0 else ""
