"""Counts labels for accuracy SLOs as soon as the requests that they judge are stored; it judges no accuracy.

A label counts when it was given, in the group of its request. Of several labels of a request the last counts: a later
one takes back what an earlier one counted. One whose request does not come within a day is given up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from collector.cardinality import CardinalityGuard
from collector.rollup import Deltas, roll_up
from storage.database import Database
from storage.feedback import FeedbackRow
from storage.labelled import join
from storage.labels import BATCH, Outcome, Waiting, counted_before, settle, waiting
from storage.requests import RequestKey
from telemetry.rules import Correct, RollupRule
from telemetry.windows import NANOS

GIVE_UP_NS: Final = 86400 * NANOS
_PAUSES_NS: Final = (5 * NANOS, 30 * NANOS, 300 * NANOS)
"""Until a label is tried again whose request was not found: looking costs a look at every block of rows."""


def judged_by(rules: Sequence[RollupRule]) -> list[RollupRule]:
    """Those rules that count labels."""
    return [rule for rule in rules if isinstance(rule.good, Correct)]


class Labels:
    """The labels that wait; for one thread of the one process that evaluates."""

    def __init__(self, database: Database, rules: Callable[[], Sequence[RollupRule]], guard: CardinalityGuard) -> None:
        """``rules`` are those in force."""
        self._database = database
        self._rules = rules
        self._guard = guard
        self._tried: dict[int, tuple[int, int, int]] = {}
        """By the id of a label: when it was first tried, when next, and how often so far."""

    def step(self, now_ns: int) -> None:
        """Count what can be counted by now; labels wait where no SLO counts any.

        Raises:
            StorageError: the database cannot be used; what was not counted waits.
        """
        rules = judged_by(self._rules())
        if not rules:
            return
        seen: set[int] = set()
        while batch := waiting(self._database, max(seen, default=0)):
            seen.update(one.id for one in batch)
            due = [one for one in batch if self._tried.get(one.id, (0, 0, 0))[1] <= now_ns]
            if due:
                self._settle(due, rules, now_ns)
            if len(batch) < BATCH:
                break
        self._tried = {number: tried for number, tried in self._tried.items() if number in seen}

    def _settle(self, due: Sequence[Waiting], rules: Sequence[RollupRule], now_ns: int) -> None:
        before = counted_before(self._database, {one.key for one in due})
        latest = dict(before)
        for one in due:
            if one.key not in latest or one.row.time_ns >= latest[one.key].time_ns:
                latest[one.key] = one.row
        first = {key: row for key, row in latest.items() if key not in before}
        again = {key: row for key, row in latest.items() if key in before and row is not before[key]}
        added, found = self._count(first, rules, now_ns)
        better, _ = self._count(again, rules, now_ns)
        worse, _ = self._count({key: before[key] for key in again}, rules, now_ns)
        taken_back = [delta._replace(good=-delta.good, total=-delta.total) for delta in worse.sli]
        known = {*before, *found}
        outcomes: dict[Outcome, list[int]] = {
            "matched": [one.id for one in due if one.key in known],
            "unmatched": [one.id for one in due if one.key not in known and self._is_lost(one, now_ns)],
        }
        # Distributions cannot be taken back: what a confidence means is learnt from the first label of a request.
        sli = [*added.sli, *better.sli, *taken_back]
        settle(self._database, outcomes, sli, added.distributions, lambda: judged_by(self._rules()) == rules)

    def _count(
        self, judgements: Mapping[RequestKey, FeedbackRow], rules: Sequence[RollupRule], now_ns: int
    ) -> tuple[Deltas, list[RequestKey]]:
        """What judgements add to the counters, and those of their requests that are stored."""
        if not judgements:
            return Deltas(), []
        fields = frozenset[str]().union(*(rule.names for rule in rules))
        columns, found = join(self._database, judgements, fields)
        return (roll_up(columns, rules, self._guard, now_ns) if found else Deltas()), found

    def _is_lost(self, one: Waiting, now_ns: int) -> bool:
        """Whether a label that was not found is given up; else it is tried again after a pause."""
        first_ns, _, times = self._tried.get(one.id, (now_ns, 0, 0))
        if now_ns - max(first_ns, one.row.time_ns) >= GIVE_UP_NS:
            return True
        self._tried[one.id] = first_ns, now_ns + _PAUSES_NS[min(times, len(_PAUSES_NS) - 1)], times + 1
        return False
