"""Events, or money, of every SLO and group as counters that only rise, for Prometheus; it judges nothing.

They count what the evaluator reads, when it reads it, so an event that comes late counts when it comes. They begin at
zero when this process begins to evaluate: Prometheus takes the fall for the restart that it is. A process that does not
evaluate has none, so that sums over instances count every event once.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from detectors.slo.compile import rule_id
from detectors.slo.export.names import is_counter
from detectors.slo.ledger import HOUR_NS
from detectors.slo.spec import Slo, SloSet
from telemetry.deltas import SliColumns, group_labels

_FORGET_EVERY_NS: Final = HOUR_NS


@dataclass(frozen=True, slots=True)
class EventCount:
    """Events of one group since this process began to evaluate; ``valid`` is money, in its parts, where that counts."""

    slo: Slo
    group: Mapping[str, str]
    good: int
    valid: int


class _Group:
    __slots__ = ("good", "last_ns", "valid")

    def __init__(self, now_ns: int) -> None:
        self.good = 0
        self.valid = 0
        self.last_ns = now_ns


class EventCounts:
    """The counters of the SLOs that count events or money. Its methods may be called from any thread."""

    def __init__(self, slos: SloSet) -> None:
        """Count nothing until :meth:`begin`."""
        self._slos = _by_rule(slos)
        self._groups: dict[str, dict[str, _Group]] = {}
        self._lock = threading.Lock()
        self._forgot_ns = 0
        self._counting = False

    def begin(self, now_ns: int) -> None:
        """Begin at zero: this process evaluates from now on. An SLO without ``per`` has its one series at once."""
        with self._lock:
            self._forgot_ns = now_ns
            self._counting = True
            self._groups = {rule: _first(slo, now_ns) for rule, slo in self._slos.items()}

    def use(self, slos: SloSet, now_ns: int) -> None:
        """Count for ``slos`` from now on: those that mean the same go on, others begin at zero."""
        with self._lock:
            self._slos = _by_rule(slos)
            if self._counting:
                self._groups = {rule: self._groups.get(rule) or _first(slo, now_ns) for rule, slo in self._slos.items()}

    def end(self) -> None:
        """Have no counters: another process evaluates."""
        with self._lock:
            self._counting = False
            self._groups = {}

    def add(self, rows: SliColumns, now_ns: int) -> None:
        """Count the rows of SLOs; others are passed over. Groups are as bounded as the collector's."""
        with self._lock:
            columns = rows.rules, rows.groups, rows.good.tolist(), rows.total.tolist()
            for rule, key, good, total in zip(*columns, strict=True):
                groups = self._groups.get(rule)
                if groups is not None and total > 0:
                    group = groups.get(key)
                    if group is None:
                        group = groups[key] = _Group(now_ns)
                    group.good += good
                    group.valid += total
                    group.last_ns = now_ns

    def know(self, evaluated: Mapping[str, Collection[str]], now_ns: int) -> None:
        """Have a series, at zero if need be, for every group that is evaluated; drop those that left every window.

        ``evaluated`` has the canonical group texts of every SLO, by the id of its rule.
        """
        with self._lock:
            forget = now_ns - self._forgot_ns >= _FORGET_EVERY_NS
            for rule, slo in self._slos.items():
                groups = self._groups.get(rule)
                if groups is None or rule not in evaluated:
                    continue
                known = set(evaluated[rule])
                for key in known - groups.keys():
                    groups[key] = _Group(now_ns)
                if forget:
                    idle_ns = now_ns - slo.longest_window_ns
                    for key in [key for key, one in groups.items() if key not in known and one.last_ns < idle_ns]:
                        del groups[key]
            if forget:
                self._forgot_ns = now_ns

    def counts(self) -> list[EventCount]:
        """Every counter, SLOs in the order of the files, groups by their text."""
        with self._lock:
            return [
                EventCount(self._slos[rule], group_labels(key), one.good, one.valid)
                for rule, groups in self._groups.items() for key, one in sorted(groups.items())
            ]  # fmt: skip


def _by_rule(slos: SloSet) -> dict[str, Slo]:
    return {rule_id(slo): slo for slo in slos.slos if is_counter(slo)}


def _first(slo: Slo, now_ns: int) -> dict[str, _Group]:
    """The groups that there are before any event."""
    return {} if slo.per else {"{}": _Group(now_ns)}
