"""Which services call which: what the configuration declares, and what the traces of the last day have shown.

Alerts of services that call each other may be one incident (:mod:`alerting.correlation`). Now and then a bounded number
of the newest spans is read; what was learned is kept in memory only, and learned anew after a restart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, Final

from alerting.config import AlertingConfig
from storage.calls import count_calls
from storage.database import Database
from telemetry.windows import NANOS

EVERY_NS: Final = 120 * NANOS
_BACK_NS: Final = 600 * NANOS
_SPANS: Final = 20_000
"""Read at once: a look costs no more than that, however many there are."""
_ENOUGH: Final = 3
"""Calls within one look that are no accident."""
_REMEMBERED_NS: Final = 86400 * NANOS
_EDGES: Final = 1000
"""Pairs that are remembered; who is related through whom takes time by the square of them."""

Edge = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Seen:
    """How many calls the look found in which there were any last, and when that was."""

    calls: int
    at_ns: int


class Calls:
    """Learns who calls whom, and lets alerting go by it beside what is declared."""

    def __init__(self, database: Database, config: AlertingConfig, use: Callable[[AlertingConfig], None]) -> None:
        """``config`` is in force, ``use`` puts another in force."""
        self._database = database
        self._config = config
        self._use = use
        self._turn = Lock()
        self._seen: Mapping[Edge, _Seen] = {}

    def alert_by(self, config: AlertingConfig) -> None:
        """Put a configuration in force, with what was learned.

        Raises:
            ConfigError: its runbooks cannot be read; everything stays as it was.
        """
        with self._turn:
            self._use(_joined(config, self._seen))
            self._config = config

    def step(self, now_ns: int) -> None:
        """Look at the newest traces.

        Raises:
            StorageError: the database cannot be used; what was learned stays.
            ConfigError: the runbooks cannot be read any more; the next look tries again.
        """
        if not self._config.learn_depends_on:
            return
        # A clock may be ahead of ours, and its spans are no less true.
        counts = count_calls(self._database, now_ns - _BACK_NS, now_ns + _BACK_NS, limit=_SPANS)
        known = {edge: seen for edge, seen in self._seen.items() if now_ns - seen.at_ns < _REMEMBERED_NS}
        known |= {edge: _Seen(calls, now_ns) for edge, calls in counts.items() if calls >= _ENOUGH}
        newest = sorted(known, key=lambda edge: known[edge].at_ns)[-_EDGES:]
        with self._turn:
            learned = {edge: known[edge] for edge in newest}
            if learned.keys() != self._seen.keys():
                self._use(_joined(self._config, learned))
            self._seen = learned

    def document(self) -> list[dict[str, Any]]:
        """Every pair for the API, by name; ``calls`` and ``last_seen`` are null for what is declared only."""
        declared = {(caller, called) for caller, every in self._config.depends_on.items() for called in every}
        seen = self._seen if self._config.learn_depends_on else {}
        return [
            {
                "caller": caller,
                "called": called,
                "declared": (caller, called) in declared,
                "calls": seen[caller, called].calls if (caller, called) in seen else None,
                "last_seen": seen[caller, called].at_ns / NANOS if (caller, called) in seen else None,
            }
            for caller, called in sorted(declared | seen.keys())
        ]


def _joined(config: AlertingConfig, seen: Mapping[Edge, _Seen]) -> AlertingConfig:
    """The configuration with what was learned among what is declared."""
    if not config.learn_depends_on or not seen:
        return config
    joined = {caller: set(every) for caller, every in config.depends_on.items()}
    for caller, called in seen:
        joined.setdefault(caller, set()).add(called)
    return replace(config, depends_on={caller: tuple(sorted(every)) for caller, every in joined.items()})
