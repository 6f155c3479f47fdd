"""Which collectors count into this database, and whether they count the same; it warns, and mends nothing.

An SLO's counts are whole only while every collector that takes telemetry in counts it. One that was started with
other SLO files does not, and what it takes in is missing from the counts without a trace.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import tailwatch
from storage.collectors import CollectorRow, differences, leave, live_collectors, renew
from storage.database import Database
from telemetry.errors import StorageError
from telemetry.rules import RollupRule
from telemetry.windows import NANOS

_log = logging.getLogger(__name__)


class Membership:
    """This process among the collectors of ``database``, known from its heartbeats."""

    def __init__(self, database: Database, rules: Sequence[RollupRule], started_ns: int) -> None:
        self._database = database
        self._own = CollectorRow(
            secrets.token_hex(8), socket.gethostname(), os.getpid(), tailwatch.__version__, started_ns, _ids(rules)
        )
        self._live: Sequence[CollectorRow] = ()
        self._warned: list[str] = []

    def use(self, rules: Sequence[RollupRule]) -> None:
        """Count by ``rules``; others learn it at the next heartbeat."""
        self._own = replace(self._own, rules=_ids(rules))

    def agree(self) -> bool:
        """Whether at the last heartbeat every live collector counted what the others count."""
        return not differences(self._live)

    def step(self, now_ns: int) -> None:
        """One heartbeat: be seen, and see who else is there.

        Raises:
            StorageError: the database cannot be used.
        """
        renew(self._database, self._own, now_ns)
        self._live = live_collectors(self._database, now_ns)
        for sentence in (found := self.warnings()):
            if sentence not in self._warned:
                _log.warning("%s", sentence)
        self._warned = found

    def leave(self) -> None:
        """End: others need not wait until the heartbeat is missed."""
        try:
            leave(self._database, self._own.id)
        except StorageError as error:
            _log.warning("this collector is listed for another minute: %s", error)

    def collectors(self) -> list[dict[str, Any]]:
        """Those that were live at the last heartbeat, the longest-running first."""
        lacking = differences(self._live)
        return [
            {
                "id": row.id,
                "host": row.host,
                "pid": row.pid,
                "version": row.version,
                "started_at": row.started_ns / NANOS,
                "last_seen": row.seen_ns / NANOS,
                "this": row.id == self._own.id,
                "rules": len(row.rules),
                "lacks": _slos(lacking.get(row.id, ())),
            }
            for row in self._live
        ]

    def warnings(self) -> list[str]:
        """A sentence about each collector that lacks what another counts."""
        lacking = differences(self._live)
        return [
            f"the collector on {row.host} (process {row.pid}) does not count SLOs that others on this database count:"
            f" {', '.join(_slos(lacking[row.id]))}; their counts miss what it takes in until it does. Give every"
            " collector the same SLO files."
            for row in self._live
            if row.id in lacking
        ]


def _ids(rules: Sequence[RollupRule]) -> tuple[str, ...]:
    return tuple(sorted(rule.id for rule in rules))


def _slos(rules: Sequence[str]) -> list[str]:
    """The SLOs of rules, each once; a rule's id is the SLO's name and a hash of its meaning."""
    return sorted({rule.partition("@")[0] for rule in rules})
