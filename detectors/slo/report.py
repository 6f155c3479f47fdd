"""An observation put into words: statuses for who looks, findings for who is called. It measures nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from typing import Any, assert_never, cast

import numpy as np

from detectors.slo.compile import beside_rule_id
from detectors.slo.memory import Key
from detectors.slo.observation import Alert, Aside, Reading
from detectors.slo.slices import Verdict
from detectors.slo.spec import Occurrences, RatioTimeslices, Slo, Timeslices
from detectors.slo.states import State, state_of
from detectors.slo.status import AlertStatus, GroupStatus, SloStatus, json_safe
from detectors.slo.tracker import Tracker
from telemetry.deltas import group_labels
from telemetry.findings import Finding, fingerprint
from telemetry.windows import NANOS, format_duration


class Report:
    """The statuses and findings of one SLO at one time; put together when they are asked for, from values that stay."""

    def __init__(
        self, tracker: Tracker, reading: Reading, aside: Aside, *, source_silent: bool, source_late: bool
    ) -> None:
        """Put the part of its cohort's ``reading`` into words that is ``tracker``'s.

        Args:
            tracker: the SLO.
            reading: what the data of its cohort say.
            aside: what is known beside them.
            source_silent: whether the whole service has fallen silent.
            source_late: whether it sends nothing as new as usual.
        """
        self.tracker = tracker
        self.slo = tracker.slo
        self.aside = aside
        self.source_silent = source_silent
        self.source_late = source_late
        self._reading = reading
        self._positions = tracker.cohort.positions(tracker.rule)
        self._keys = tracker.cohort.ledger.groups

    def __len__(self) -> int:
        return len(self._positions)

    @cached_property
    def groups(self) -> list[str]:
        """Canonical texts of the groups, in order of appearance."""
        return [cast("Key", self._keys[i])[1] for i in self._positions.tolist()]

    @cached_property
    def seen(self) -> Reading:
        """What the data of the SLO's groups say."""
        return self._reading.take(self._positions)

    @cached_property
    def _labels(self) -> list[dict[str, str]]:
        return [group_labels(group) for group in self.groups]

    @cached_property
    def _windows(self) -> list[str]:
        return self._reading.window_names(self.slo.calendar.unit if self.slo.calendar else None)

    @cached_property
    def _beside(self) -> str:
        """What is counted beside the SLI: ``throttled``."""
        return (beside_rule_id(self.slo) or "").rpartition(":")[2]

    @cached_property
    def _holding(self) -> dict[int, list[Alert]]:
        """The alerts that hold, by group; groups without any are left out."""
        found: dict[int, list[Alert]] = {}
        for alert in self.seen.alerts:
            for group in np.flatnonzero(alert.holds).tolist():
                found.setdefault(group, []).append(alert)
        return found

    def status(self) -> SloStatus:
        """The SLO's status; an SLO that has never had an event has one group without labels."""
        if not len(self._positions):
            nothing = GroupStatus({}, "no_telemetry" if self.source_silent else "no_traffic")
            return SloStatus(self.slo, tuple(self._uncounted()) or (nothing,), self._reading.period)
        own, unit = self.seen.window, self.slo.unit
        columns = zip(
            self.groups, self._labels, self.seen.good[own].tolist(), self.seen.total[own].tolist(),
            self.seen.remaining.tolist(), self.seen.burn.T.tolist(), (self.seen.total.T > 0).tolist(),
            self.seen.silent.tolist(), self.seen.outage.tolist(), self.seen.overfull.tolist(), strict=True,
        )  # fmt: skip
        groups = []
        excluded = self.aside.excluded or {}
        for i, (group, labels, counted_good, counted, remaining, burn, busy, *flags) in enumerate(columns):
            silent, outage, overfull = flags
            good, total = self._of_budget(counted_good, counted)
            left = None if math.isnan(remaining) else remaining
            alerts = self._holding.get(i, [])
            state: State = "corrected" if group in self.aside.corrected else state_of(
                alerting=bool(alerts), remaining=left, bad=(total - good) / unit,
                allowed=total / unit * self.slo.error_budget, min_bad=self.tracker.cohort.layout.min_bad, silent=silent,
                source_silent=self.source_silent, source_late=self.source_late, outage=outage, misconfigured=overfull,
            )  # fmt: skip
            shown = {name: x if there else None for name, x, there in zip(self._windows, burn, busy, strict=True)}
            since_ns = int(self.seen.onset_ns[i])
            groups.append(
                GroupStatus(
                    labels, state, _whole(good, unit), self._valid(total), left, shown,
                    tuple(AlertStatus(alert.name, alert.severity, since_ns) for alert in alerts), self._detail(i),
                    excluded.get(group, 0) // unit,
                )
            )  # fmt: skip
        return SloStatus(self.slo, (*groups, *self._uncounted()), self.seen.period)

    def _uncounted(self) -> Iterator[GroupStatus]:
        """Groups of which only what is beside the SLI is known: predictions without a label, calls without a price."""
        known = set(self.groups)
        for group, count in (self.aside.beside or {}).items():
            if count and group not in known:
                detail = {**self.slo.sli.facts(), self._beside: count}
                state: State = "no_telemetry" if self.source_silent else "not_enough_data"
                yield GroupStatus(group_labels(group), state, detail=detail)

    def findings(self) -> list[Finding]:
        """One finding for every alert of every group that holds; tickets are suppressed by a page of their budget."""
        findings: list[Finding] = []
        for group, alerts in self._holding.items():
            page = next((alert for alert in alerts if alert.severity == "page"), None)
            by = None if page is None else fingerprint(self._alert_labels(page, group))
            shared = self._evidence(group)
            findings.extend(
                Finding(
                    labels=self._alert_labels(alert, group), severity=alert.severity,
                    since_ns=int(self.seen.onset_ns[group]), summary=self._summary(alert, group),
                    evidence={
                        **shared, "alert": alert.name, "window": alert.window or None,
                        "complaint": self._complains(group),
                    },
                    runbook=self.slo.runbook, suppressed_by=by if alert.severity == "ticket" else None,
                )
                for alert in alerts
            )  # fmt: skip
        return findings

    def _of_budget(self, good: int, total: int) -> tuple[int, int]:
        """Good and total as counted in the SLO's window; of an amount, what is left of it and all of it."""
        return (good, total) if self.slo.allowance is None else (self.slo.allowance - total, self.slo.allowance)

    def _valid(self, total: int) -> float:
        """Parts of events or slices, which are whole in all, or of the money that may be spent."""
        return total // self.slo.unit if self.slo.allowance is None else total / self.slo.unit

    @property
    def _objective(self) -> float | None:
        """The objective; None where the budget is an amount."""
        return self.slo.objective if self.slo.allowance is None else None

    def withdrawn(self) -> list[str]:
        """Fingerprints of the alerts that late events proved wrong within the last hour."""
        return [
            fingerprint(self._alert_labels(alert, group))
            for alert, groups in zip(self.seen.alerts, self.seen.withdrawn, strict=True) for group in groups.tolist()
        ]  # fmt: skip

    def _alert_labels(self, alert: Alert, group: int) -> dict[str, str]:
        labels = {name: value for name, value in self._labels[group].items() if value}
        window = {"window": alert.window} if alert.window else {}
        return {
            **self.slo.labels, **labels, "alertname": alert.name, "slo": self.slo.name, "service": self.slo.service,
            "severity": alert.severity, **window,
        }  # fmt: skip

    @cached_property
    def _facts(self) -> dict[str, Any]:
        """What defines the SLI and what is counted of it, the same for all groups."""
        return {**self.slo.sli.facts(), **_budgeting_facts(self.slo)}

    def _detail(self, group: int) -> dict[str, Any]:
        detail = dict(self._facts)
        name = self.groups[group]
        if self.aside.beside is not None:
            detail[self._beside] = self.aside.beside.get(name, 0)
        if self.aside.latest is not None:
            detail["latest_slice"] = _slice_facts(self.aside.latest.get(name))
        if self.seen.late[group] and self.slo.allowance is None:
            detail["late"] = int(self.seen.late[group])
        return detail

    def _evidence(self, group: int) -> dict[str, Any]:
        seen, own, unit = self.seen, self.seen.window, self.slo.unit
        good, total = int(seen.run_good[group]), int(seen.run_total[group])
        own_good, own_total = self._of_budget(int(seen.good[own, group]), int(seen.total[own, group]))
        evidence: dict[str, Any] = {
            "kind": self.slo.kind, "objective": self._objective, "group": self._labels[group],
            "window_s": self.slo.window_s, "since": int(seen.onset_ns[group]) / NANOS,
            "good": _whole(good, unit), "bad": _whole(total - good, unit), "total": _whole(total, unit),
            "budget": {
                "remaining": _or_null(float(seen.remaining[group])), "objective": self._objective,
                "good": _whole(own_good, unit), "total": _whole(own_total, unit),
            },
            "burn": self._pair_facts(group),
            "sli": dict(self._facts),
        }  # fmt: skip
        test = self.tracker.cohort.evidence
        if test is not None:
            evidence["sequential"] = {
                "arl": format_duration(test.arl_ns),
                "log10_evidence": _or_null(float(seen.log_evidence[group]) / math.log(10)),
                "log10_threshold": test.log_threshold / math.log(10),
            }
        if self.tracker.slices is not None:
            facts = _slice_facts(self.tracker.slices.latest_bad(self.groups[group]))
            evidence["slice_of_time"] = facts
            if facts and "drift" in facts:
                evidence["drift"] = facts["drift"]
        return evidence

    @cached_property
    def _pairs(self) -> list[tuple[Alert, dict[str, Any], int, int]]:
        """Every burn alert with the facts that all groups share and the indexes of its two windows."""
        windows = self.seen.windows
        return [
            (
                alert,
                {
                    "long": format_duration(pair.long_ns), "short": format_duration(pair.short_ns),
                    "factor": pair.factor, "severity": pair.severity,
                },
                windows.index(pair.long_ns), windows.index(pair.short_ns),
            )
            for alert in self.seen.alerts if (pair := alert.pair) is not None
        ]  # fmt: skip

    def _pair_facts(self, group: int) -> list[dict[str, Any]]:
        burn = self.seen.burn[:, group].tolist()
        return [
            {**shared, "long_burn": burn[long], "short_burn": burn[short], "holds": bool(alert.holds[group])}
            for alert, shared, long, short in self._pairs
        ]

    def _complains(self, group: int) -> str:
        """What is wrong, and how much of it, since it began."""
        total = int(self.seen.run_total[group])
        bad = total - int(self.seen.run_good[group])
        share = "all" if bad == total else f"{100 * bad / total:.2g} % of"
        named = ", ".join(f"{name}={value}" for name, value in self._labels[group].items() if value)
        return _complaint(self.slo, share, f" of {named}" if named else "")

    def _summary(self, alert: Alert, group: int) -> str:
        total = int(self.seen.run_total[group])
        bad = total - int(self.seen.run_good[group])
        head = f"{self.slo.name}: {self._complains(group)}"
        if alert.pair is not None:
            burn = float(self.seen.burn[self.seen.windows.index(alert.pair.long_ns), group])
            return f"{head}, the budget burns at {burn:.3g}x ({alert.window})"
        lasted_ns = max(self.seen.now_ns - int(self.seen.onset_ns[group]), NANOS) // NANOS * NANOS
        bad_text, total_text = (f"{_whole(count, self.slo.unit):.6g}" for count in (bad, total))
        return (
            f"{head} for the last {format_duration(_two_units(lasted_ns))} ({bad_text} of {total_text}), "
            f"more than an objective of {100 * self.slo.objective:.6g} % explains"
        )


def _two_units(duration_ns: int) -> int:
    """A duration cut to what a person reads: seconds below an hour, minutes beyond."""
    unit = 60 * NANOS if duration_ns >= 3600 * NANOS else NANOS
    return duration_ns // unit * unit


def _whole(count: int, unit: int) -> float:
    """Parts as events or slices; whole numbers stay integers."""
    return count if unit == 1 else count / unit


def _complaint(slo: Slo, share: str, whose: str) -> str:
    budgeting = slo.budgeting
    match budgeting:
        case Occurrences():
            return slo.sli.complaint(share, whose)
        case Timeslices(slice_ns=slice_ns, target=target):
            slices = f"{share} slices of {format_duration(slice_ns)}"
            return f"fewer than {100 * target:g} % of requests{whose} are good in {slices}"
        case RatioTimeslices(slice_ns=slice_ns):
            return f"{slo.sli.complaint(share, whose)}, on average over slices of {format_duration(slice_ns)}"
        case _:
            assert_never(budgeting)


def _budgeting_facts(slo: Slo) -> dict[str, Any]:
    match slo.budgeting:
        case Timeslices(slice_ns=slice_ns, target=target):
            return {"slice_s": slice_ns / NANOS, "slice_target": target}
        case RatioTimeslices(slice_ns=slice_ns):
            return {"slice_s": slice_ns / NANOS}
        case _:
            return {}


def _slice_facts(found: tuple[int, Verdict] | None) -> dict[str, Any] | None:
    if found is None:
        return None
    start_ns, verdict = found
    facts: dict[str, Any] = json_safe({"start": start_ns / NANOS, "good": verdict.good, **verdict.detail})
    return facts


def _or_null(value: float) -> float | None:
    return value if math.isfinite(value) else None
