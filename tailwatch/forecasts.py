"""Forecasts of budgets: made on demand from stored counts, and kept for what is always shown. It alerts nobody."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from detectors.forecast.budget import BudgetForecast, Counts, TooLittle, forecast_budget
from detectors.forecast.history import DAY_HOURS, HOUR_NS, MOST_DAYS
from detectors.forecast.sentence import budget_sentence
from detectors.slo.calendar import DEFAULT_ZONE
from detectors.slo.compile import rule_id, slices_rule_id
from detectors.slo.exclusions import Exclusions
from detectors.slo.spec import Slo, SloSet
from storage import corrections
from storage.database import Database
from storage.rollups import load_sli, sli_totals
from telemetry.deltas import group_key
from telemetry.windows import BUCKET_NS, NANOS

REFRESH_NS: Final = 300 * NANOS
"""How old a forecast that is shown may become, while there are few enough SLOs."""
SHOWN_GROUPS: Final = 20
"""Groups of an SLO that are forecast without being asked for: those with the least budget left."""

Document = Mapping[str, Any]


def forecast_group(database: Database, slo: Slo, group: str, now_ns: int) -> BudgetForecast | TooLittle:
    """The forecast of one budget, from the counters as stored, without what corrections exclude.

    Raises:
        StorageError: the database cannot be used.
    """
    period = None if slo.calendar is None else slo.calendar.period(now_ns)
    return forecast_budget(
        _counts(database, slo, group, now_ns),
        error_budget=slo.error_budget,
        now_ns=now_ns,
        window_ns=slo.window_ns if period is None else None,
        period=None if period is None else (period.start_ns, period.end_ns),
        seed=f"{slo.name} {group}",
        allowance=None if slo.allowance is None else slo.allowance / slo.unit,
    )


def stored_groups(database: Database, slo: Slo, now_ns: int) -> list[str]:
    """The groups that have counts within the SLO's window.

    Raises:
        StorageError: the database cannot be used.
    """
    totals = sli_totals(database, _rule(slo), slo.window_start_ns(now_ns), now_ns + 1)
    return [group_key(total.labels) for total in totals]


def zone_of(slo: Slo) -> str:
    """The time zone in which an SLO's times are told."""
    return DEFAULT_ZONE if slo.calendar is None else slo.calendar.timezone


def document_of(forecast: BudgetForecast | TooLittle, zone: str) -> dict[str, Any]:
    """The forecast as the API shows it, with its sentence."""
    return {**forecast.to_json(), "timezone": zone, "sentence": budget_sentence(forecast, zone)}


def _rule(slo: Slo) -> str:
    return rule_id(slo) if slo.slice_ns is None else slices_rule_id(slo)


def _counts(database: Database, slo: Slo, group: str, now_ns: int) -> Counts:
    start_ns = min(now_ns - MOST_DAYS * DAY_HOURS * HOUR_NS, slo.window_start_ns(now_ns))
    found = load_sli(database, [_rule(slo)], start_ns, now_ns + 1, group=group)
    if not found:
        nothing = np.zeros(0)
        return Counts(nothing.astype(np.int64), nothing, nothing)
    series = found[0]
    excluded = Exclusions(slo, corrections.load(database)).mask(group, series.bucket_ns, slo.slice_ns or BUCKET_NS)
    bad = np.clip(series.total - series.good, 0, series.total)
    return Counts(series.bucket_ns[~excluded], series.total[~excluded] / slo.unit, bad[~excluded] / slo.unit)


@dataclass(frozen=True, slots=True)
class _Kept:
    at_ns: int
    groups: Mapping[str, Document]


class Forecasts:
    """Keeps forecasts of the groups that have the least budget left, an SLO at a time."""

    def __init__(
        self, database: Database, slos: Callable[[], SloSet], statuses: Callable[[], Mapping[str, Any]]
    ) -> None:
        self._database = database
        self._slos = slos
        self._statuses = statuses
        self._kept: dict[str, _Kept] = {}

    def step(self, now_ns: int) -> None:
        """Forecast the SLO whose forecasts are oldest, if they are old.

        Raises:
            StorageError: the database cannot be used.
        """
        slos, statuses = self._slos(), self._statuses()
        self._kept = {name: kept for name, kept in self._kept.items() if slos.named(name) is not None}
        due = [slo for slo in slos.slos if slo.name in statuses and now_ns - self._age_of(slo) >= REFRESH_NS]
        if not due:
            return
        slo = min(due, key=self._age_of)
        groups = sorted(
            (group for group in statuses[slo.name]["groups"] if group["budget_remaining"] is not None),
            key=lambda group: float(group["budget_remaining"]),
        )
        made = {}
        for group in groups[:SHOWN_GROUPS]:
            key = group_key(group["group"])
            document = document_of(forecast_group(self._database, slo, key, now_ns), zone_of(slo))
            made[key] = {name: value for name, value in document.items() if name != "fan"}
        self._kept[slo.name] = _Kept(now_ns, made)

    def beside(self, status: Document) -> dict[str, Any]:
        """An SLO's status with the last ``forecast`` of each group, without its course; null while there is none."""
        kept = self._kept.get(status["name"])
        made = {} if kept is None else kept.groups
        return {
            **status,
            "groups": [{**group, "forecast": made.get(group_key(group["group"]))} for group in status["groups"]],
        }

    def _age_of(self, slo: Slo) -> int:
        kept = self._kept.get(slo.name)
        return -(2**62) if kept is None else kept.at_ns
