"""The evaluation as a step: new counts into the SLO engine, its findings through diagnosis into alerting."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from detectors.slo.budget import BudgetPoint
from detectors.slo.compile import compile_rules, slices_rule_id
from detectors.slo.distribution_slices import FixedReference
from detectors.slo.engine import Engine, Evaluation
from detectors.slo.punctuality import Punctuality
from detectors.slo.spec import SloSet
from storage import corrections
from storage.database import Database, Moment
from storage.ingest import PreparedPayload, RepeatedError
from storage.locks import Leadership
from storage.positions import Position
from storage.rollups import read_since
from storage.status import load_statuses, save_statuses
from tailwatch import memories
from tailwatch.backfill import forget_verdicts
from tailwatch.event_counts import EventCounts
from tailwatch.gauge_feed import GaugeFeed
from tailwatch.history import last_heard, load_history, save_references
from telemetry.deltas import SliColumns, group_labels
from telemetry.errors import TailwatchError
from telemetry.findings import Finding
from telemetry.rules import SERIES_RULE_ID
from telemetry.windows import NANOS

_SERIES: Final = frozenset({SERIES_RULE_ID})
_SAVE_EVERY_NS: Final = 15 * NANOS
"""Statuses and memories are stored this often: they bridge a restart, and each save is a synchronous write."""
_SAVED_GROUPS: Final = 1000
"""... for every so many groups: to word and write ten thousand costs several evaluations of them."""

_log = logging.getLogger(__name__)

Act = Callable[[Sequence[Finding], int], None]
"""What is done about the findings of an evaluation at a time in ns: alerting, in the service."""


@dataclass(frozen=True, slots=True)
class LastStep:
    """When the last evaluation ended (ns), and how long it took (seconds)."""

    at_ns: int
    duration_s: float


class Evaluator:
    """Owns the engine; its methods may be called from any thread."""

    def __init__(
        self,
        database: Database,
        slos: SloSet,
        commit: Callable[[Sequence[PreparedPayload]], object],
        act: Act,
    ) -> None:
        self._database = database
        self._commit = commit
        self._act = act
        self._slos = slos
        self._next: SloSet | None = None
        self._recounted: frozenset[str] = frozenset()
        self._engine = Engine(slos)
        self._leadership = Leadership(database)
        self._slice_rules = frozenset(slices_rule_id(slo) for slo in slos.slos)
        self._turn = threading.Lock()
        self._position: Position | None = None
        self._unsaved: list[PreparedPayload] = []
        self._unsaved_references: list[FixedReference] = []
        self._heard_ns: dict[str, int] = {}
        self._evaluation: Evaluation | None = None
        self._statuses: Mapping[str, Any] | None = {}
        self._saved_ns = 0
        self._corrected = (0, 0)
        self._gauges = GaugeFeed()
        self._punctuality = Punctuality()
        self.events = EventCounts(slos)
        self.last: LastStep | None = None
        self.steps = 0
        self.seconds = 0.0

    def start(self, now_ns: int) -> None:
        """Show what was evaluated last, and load the history that the SLOs look back on.

        Raises:
            StorageError: the database cannot be used.
        """
        self._follow(now_ns)
        if self._leads():
            self._lead(now_ns)

    def use(self, slos: SloSet, recounted: Iterable[str] = ()) -> None:
        """Evaluate ``slos`` from the next step on, from stored history.

        ``recounted`` names rules whose stored counters were replaced: what was judged from them is judged anew.
        """
        with self._turn:
            self._recounted = self._recounted.union(recounted)
            if self._recounted or self._next is not None or slos.slos != self._slos.slos:
                self._next = slos

    def step(self, now_ns: int) -> None:
        """One evaluation, if no other process leads. What was read is taken in once, whatever fails after it.

        Raises:
            StorageError: the database cannot be used; the next step goes on where this one stopped.
        """
        began = time.perf_counter()
        leads = self._leads()
        self._take_over(now_ns)
        if not leads:
            self._follow(now_ns)
        else:
            if self._position is None:
                self._lead(now_ns)
            findings = self._evaluate(now_ns)
            self._save_slices()
            self._act(findings, now_ns)
            if now_ns - self._saved_ns >= self._save_every_ns:
                save_statuses(self._database, self.statuses(), now_ns)
                memories.keep(self._database, self._engine.memories())
                self._saved_ns = now_ns
        duration_s = time.perf_counter() - began
        self.last = LastStep(now_ns, duration_s)
        self.steps += 1
        self.seconds += duration_s

    def stop(self) -> None:
        """Let another process lead."""
        self._leadership.release()

    def statuses(self) -> Mapping[str, Any]:
        """Every SLO's status as the API shows it, by name, in the order of the files; put together when asked for."""
        statuses, evaluation = self._statuses, self._evaluation
        if statuses is None:
            assert evaluation is not None
            statuses = {status.slo.name: status.to_json() for status in evaluation.statuses}
            if evaluation is self._evaluation:
                self._statuses = statuses
        return statuses

    @property
    def withdrawn(self) -> frozenset[str]:
        """Fingerprints of alerts that late events proved wrong, as of the last evaluation here."""
        return self._evaluation.withdrawn if self._evaluation is not None else frozenset()

    @property
    def position(self) -> Position | None:
        """How far the counters have been read: what compaction may fold."""
        return self._position

    def budget_curve(
        self, slo: str, group: Mapping[str, str], *, start_ns: int, end_ns: int, step_ns: int
    ) -> list[BudgetPoint]:
        """The budget of one group over time, see :meth:`Engine.budget_curve`.

        Raises:
            NotFoundError: no such SLO, or it has no such group.
            StorageError: another process leads, and the database cannot be used.
        """
        with self._turn:
            if self._position is not None:
                return self._engine.budget_curve(slo, group, start_ns=start_ns, end_ns=end_ns, step_ns=step_ns)
        chosen = SloSet(tuple(one for one in self._slos.slos if one.name == slo))
        engine = Engine(chosen, corrections.load(self._database))
        now_ns = end_ns if self.last is None else self.last.at_ns
        load_history(self._database, engine, now_ns)
        engine.step(now_ns)
        return engine.budget_curve(slo, group, start_ns=start_ns, end_ns=end_ns, step_ns=step_ns)

    @property
    def _save_every_ns(self) -> int:
        groups = sum(len(report) for report in self._evaluation.reports) if self._evaluation is not None else 0
        return _SAVE_EVERY_NS * max(-(-groups // _SAVED_GROUPS), 1)

    def _leads(self) -> bool:
        """Whether this process leads; once it does not, what it knows is void: others count on without telling it."""
        leads = False
        try:
            leads = self._leadership.hold()
        finally:
            if not leads:
                self._position = None
                self.events.end()
        return leads

    def _follow(self, now_ns: int) -> None:
        """Show what the leading process evaluated."""
        if now_ns - self._saved_ns >= _SAVE_EVERY_NS:
            self._statuses = {name: stored.body for name, stored in load_statuses(self._database).items()}
            self._saved_ns = now_ns

    def _take_over(self, now_ns: int) -> None:
        """Evaluate the SLOs that were given last; counters for Prometheus go on, and miss nothing."""
        with self._turn:
            slos, recounted = self._next, self._recounted
            if slos is None:
                return
            if self._position is not None:
                forget_verdicts(self._database, recounted)
                same = self._same(slos, recounted)
                with self._database.moment() as moment:
                    in_force = corrections.load(moment)
                    anew = Engine(SloSet(tuple(slo for slo in slos.slos if slo.name not in same)), in_force)
                    missed = read_since(moment, self._position, without_distributions_of=_SERIES)
                    load_history(moment, anew, now_ns)
                anew.remember(self._engine.memories(), without=recounted)
                self._engine.ingest_sli(missed.sli.without(self._slice_rules))
                self._engine.ingest_distributions(missed.distributions)
                engine = Engine(slos, in_force)
                engine.adopt(self._engine, same)
                engine.adopt(anew)
                self._hear(missed.sli, now_ns)
                self.events.add(missed.sli, now_ns)
                self._unsaved.clear()
                self._unsaved_references.clear()
                self._engine, self._position, self._saved_ns = engine, missed.position, 0
                self._gauges.begin()
            self.events.use(slos, now_ns)
            self._slos, self._next, self._recounted = slos, None, frozenset()
            self._slice_rules = frozenset(slices_rule_id(slo) for slo in slos.slos)

    def _same(self, slos: SloSet, recounted: frozenset[str]) -> frozenset[str]:
        """Names of the SLOs that go on as they are: nothing about them, nor what was counted for them, has changed.

        None while verdicts wait to be stored, which those that are evaluated anew would make once more.
        """
        if self._unsaved or self._unsaved_references:
            return frozenset()
        return frozenset(
            slo.name for slo in slos.slos
            if self._slos.named(slo.name) == slo and recounted.isdisjoint(rule.id for rule in compile_rules(slo))
        )  # fmt: skip

    def _lead(self, now_ns: int) -> None:
        """Begin to evaluate, from stored history."""
        with self._turn:
            self._corrected = corrections.version(self._database)
            self._engine = Engine(self._slos, corrections.load(self._database))
            self._unsaved.clear()
            self._unsaved_references.clear()
            self._heard_ns = last_heard(self._database, now_ns)
            self._engine.remember(memories.kept(self._database))
            self._position = load_history(self._database, self._engine, now_ns)
            self._saved_ns = 0
            self._gauges.begin()
            self.events.begin(now_ns)

    def _evaluate(self, now_ns: int) -> Sequence[Finding]:
        with self._turn:
            assert self._position is not None
            with self._database.moment() as moment:
                increment = read_since(moment, self._position, without_distributions_of=_SERIES)
                anew = self._corrected_anew(moment, now_ns)
                gauges = self._gauges.read(moment, self._engine.gauges, now_ns)
            self._hear(increment.sli, now_ns)
            # Verdicts are counted when they are made; those that are read were stored by this process.
            self._engine.ingest_sli(increment.sli.without(self._slice_rules))
            self._engine.ingest_distributions(increment.distributions)
            self._engine.adopt(anew)
            self._engine.ingest_gauges(gauges)
            self._position = increment.position
            self.events.add(increment.sli, now_ns)
            evaluation = self._engine.step(now_ns, self._heard_ns, self._punctuality.late(now_ns))
            self.events.know({report.tracker.rule: report.groups for report in evaluation.reports}, now_ns)
            if evaluation.slice_deltas:
                # The digest is drawn once: a commit that was lost on its way back is known again when it is repeated.
                self._unsaved.append(PreparedPayload((secrets.token_bytes(16),), sli=evaluation.slice_deltas))
            self._unsaved_references.extend(evaluation.references)
            self._evaluation, self._statuses = evaluation, None
        return evaluation.findings

    def _corrected_anew(self, moment: Moment, now_ns: int) -> Engine:
        """The SLOs that somebody, in any process, made or cancelled a correction for, with their history at a moment.

        Verdicts that are not stored yet would be lost with the old state: the change then waits for the next step.
        """
        version = corrections.version(moment)
        if version == self._corrected or self._unsaved or self._unsaved_references:
            return Engine(SloSet())
        in_force = corrections.load(moment)
        anew = Engine(self._engine.differing(in_force), in_force)
        if len(anew.slos):
            load_history(moment, anew, now_ns)
        self._corrected = version
        return anew

    def _hear(self, rows: SliColumns, now_ns: int) -> None:
        for i in [i for i, rule in enumerate(rows.rules) if rule == SERIES_RULE_ID]:
            service = group_labels(rows.groups[i]).get("service", "")
            self._heard_ns[service] = max(self._heard_ns.get(service, 0), int(rows.bucket_ns[i]))
            self._punctuality.hear(service, int(rows.bucket_ns[i]), now_ns)

    def _commit_unsaved(self) -> None:
        """Commit the verdicts; those whose commit was lost on its way back are left out."""
        while self._unsaved:
            try:
                self._commit(self._unsaved)
                self._unsaved.clear()
            except RepeatedError as error:
                self._unsaved = [verdict for verdict in self._unsaved if error.digests.isdisjoint(verdict.digests)]

    def _save_slices(self) -> None:
        """Store verdicts over time slices and references; after a failure they wait for the next step."""
        try:
            self._commit_unsaved()
            save_references(self._database, self._unsaved_references)
            self._unsaved_references.clear()
        except TailwatchError as error:
            _log.error("verdicts over time slices wait to be stored: %s", error)
