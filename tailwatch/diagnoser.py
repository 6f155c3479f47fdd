"""Hands a finding's records, before and since its onset, to diagnosis; it concludes nothing itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from detectors.diagnosis import diagnose
from detectors.drift.compare import DriftResult, compare
from detectors.drift.distributions import distributions
from detectors.slo.compile import compile_rules
from detectors.slo.kinds.composite import Composite
from detectors.slo.kinds.drift import Drift
from detectors.slo.kinds.quantile import Quantile
from detectors.slo.kinds.saturation import Saturation
from detectors.slo.spec import Slo, SloSet
from storage import logs, spans
from storage.database import Database
from telemetry.columns import Columns
from telemetry.deltas import Distribution
from telemetry.findings import Diagnosis, Finding
from telemetry.matchers import Matchers
from telemetry.schema import is_log_home
from telemetry.windows import BUCKET_NS, NANOS

BEFORE_NS: Final = 3600 * NANOS
"""How far back "before the onset" reaches: long enough for a stable picture, short enough to be the same day."""
MAX_ROWS: Final = 50_000
"""Newest rows of each side: a diagnosis must not take longer than people wait for the page."""


@dataclass(frozen=True, slots=True)
class Sides:
    """Records of one signal before the onset and since."""

    before: Columns
    after: Columns


class Diagnoser:
    """Diagnoses findings of ``slos``, which may be replaced, from stored rows."""

    def __init__(self, database: Database, slos: SloSet) -> None:
        self._database = database
        self.slos = slos

    def diagnose(self, finding: Finding, now_ns: int) -> Diagnosis | None:
        """Why ``finding`` holds; None when its SLO is not known.

        Raises:
            StorageError: the database cannot be used.
        """
        slo = self._guilty(finding)
        if slo is None:
            return None
        onset_ns = min(finding.since_ns, now_ns - BUCKET_NS)
        own_spans, own_logs = self.records(slo, onset_ns, now_ns)
        rules = compile_rules(slo)
        return diagnose(
            slo.kind,
            own_spans.before,
            own_spans.after,
            good=rules[0].good if rules and slo.sli.slice_ns is None else None,
            measure=slo.sli.measure if isinstance(slo.sli, Quantile) else None,
            gauge=slo.sli.gauge if isinstance(slo.sli, Saturation) else None,
            logs_before=own_logs.before if len(own_logs.after) else None,
            logs_after=own_logs.after if len(own_logs.after) else None,
            drift=_drift(slo.sli, own_spans, own_logs) if isinstance(slo.sli, Drift) else None,
            onset_ns=onset_ns,
            labels=_fixed(slo.where) | {name: finding.labels[name] for name in slo.per if name in finding.labels},
        )

    def _guilty(self, finding: Finding) -> Slo | None:
        """The finding's SLO; of a composite the component that was the worst in the slice which it tells of."""
        slo = self.slos.named(finding.labels["slo"])
        while slo is not None and isinstance(slo.sli, Composite):
            shares = (finding.evidence.get("slice_of_time") or {}).get("shares", {})
            parts = [component.slo for component in slo.sli.components]
            slo = self.slos.named(min(parts, key=lambda name: shares.get(name, 1.0)))
        return slo

    def records(self, slo: Slo, onset_ns: int, now_ns: int) -> tuple[Sides, Sides]:
        """Spans, and inference logs, of the SLO's events within an hour before ``onset_ns``, and since.

        An SLO that judges metrics has conditions on their labels, which records lack: it gets all of its service.

        Raises:
            StorageError: the database cannot be used.
        """
        where = slo.where if compile_rules(slo) else Matchers()

        def both(load: Callable[..., Columns]) -> Sides:
            def side(start_ns: int, end_ns: int) -> Columns:
                return load(self._database, start_ns, end_ns, service=slo.service, where=where, limit=MAX_ROWS)

            return Sides(side(onset_ns - BEFORE_NS, onset_ns), side(onset_ns, now_ns + BUCKET_NS))

        return both(spans.load_columns), both(logs.load_columns)


def _fixed(where: Matchers) -> dict[str, str]:
    """Labels that the conditions give one value."""
    return {matcher.name: matcher.value for matcher in where.items if matcher.op == "="}


def _drift(sli: Drift, own_spans: Sides, own_logs: Sides) -> DriftResult:
    before: dict[str, Distribution] = {}
    after: dict[str, Distribution] = {}
    for name in sli.fields:
        in_logs = name in own_logs.after.numbers or name in own_logs.after.strings
        sides = own_logs if is_log_home(name) and in_logs else own_spans
        before |= distributions(sides.before, [name])
        after |= distributions(sides.after, [name])
    return compare(before, after, alpha=sli.alpha, min_effect=sli.min_effect, min_records=sli.min_events)
