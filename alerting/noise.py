"""How much people were told, and how much of it was worth it: by receiver and by SLO, with what to do; pure.

The rule behind it is the SRE workbook's (chapter 8, On-Call): a shift that has more than two incidents leaves no time
to do anything about their causes, and an alert that nobody acts on teaches people not to look.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Final

from alerting.handled import Handled
from alerting.receivers.protocol import name_of
from telemetry.findings import Severity
from telemetry.windows import NANOS, format_duration

BEGINNINGS: Final = ("opened", "escalated", "reopened")
"""Notifications that call somebody; of a page they are counted as pages. Updates, reminders and ends are not."""
DAY_NS: Final = 86400 * NANOS
LEAST_ENDED: Final = 3
"""Incidents of an SLO that must be over before it is called anything."""
WORTH: Final = 0.5
"""An SLO of whose incidents a smaller share is acted on cries wolf."""
_FLAPPING: Final = 2.0
_FEW: Final = 100
_SHORT_NS: Final = 10 * 60 * NANOS
_PLENTY: Final = 0.5


@dataclass(frozen=True, slots=True)
class NoiseBudget:
    """How much a receiver shall be told at most within any 24 hours; None for no limit."""

    receiver: str
    pages_per_day: int | None = None
    notifications_per_day: int | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """A delivered notification: ``receiver`` is a receiver's name and kind, ``oncall/slack``."""

    receiver: str
    incident: int
    reason: str
    severity: Severity
    at_ns: int

    @property
    def page(self) -> bool:
        """Whether it called somebody."""
        return self.severity == "page" and self.reason in BEGINNINGS


@dataclass(frozen=True, slots=True)
class ReceiverNoise:
    """What one receiver was told.

    Attributes:
        per_day, pages_per_day: on average since ``Noise.averaged_since_ns``, of which a part of a day counts as one.
        busiest_day: the UTC date with most notifications, and ``busiest`` how many.
        incidents: how many it was told of; ``acted_on`` of them somebody acted on.
        last_day, last_day_pages: within the last 24 hours.
        days_over: UTC dates on which it was told more than its budget allows.
        over: whether the last 24 hours are beyond the budget.
    """

    receiver: str
    notifications: int
    pages: int
    per_day: float
    pages_per_day: float
    busiest_day: str
    busiest: int
    incidents: int
    acted_on: int
    last_day: int
    last_day_pages: int
    budget: NoiseBudget | None
    days_over: tuple[str, ...]
    over: bool


@dataclass(frozen=True, slots=True)
class SloNoise:
    """The incidents of one SLO.

    Attributes:
        ended: how many are over; of those, ``acted_on`` somebody acted on, ``by_themselves`` ended with nobody doing
            anything, and late data proved ``withdrawn`` wrong.
        returns: how often alerts fired again soon after they had ended.
        median_s: how long they lasted.
        cries_wolf: whether most of it was for nothing; ``advice`` is what to do then, the likeliest first.
    """

    slo: str
    service: str
    incidents: int
    ended: int
    acted_on: int
    by_themselves: int
    withdrawn: int
    returns: int
    notifications: int
    median_s: float | None
    cries_wolf: bool
    advice: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Noise:
    """The report; ``averaged_since_ns`` is from when on averages are taken: nothing was told before, as nothing ran."""

    since_ns: int
    until_ns: int
    averaged_since_ns: int
    receivers: tuple[ReceiverNoise, ...]
    slos: tuple[SloNoise, ...]

    def to_json(self) -> dict[str, Any]:
        """The report as the API gives it; times are seconds since the epoch."""
        return {
            "since": self.since_ns / NANOS,
            "until": self.until_ns / NANOS,
            "averaged_since": self.averaged_since_ns / NANOS,
            "receivers": [asdict(one) for one in self.receivers],
            "slos": [asdict(one) for one in self.slos],
        }


def noise(
    sent: Sequence[Sent],
    handled: Sequence[Handled],
    evidence: Mapping[int, Mapping[str, Any]],
    *,
    receivers: Iterable[str],
    budgets: Iterable[NoiseBudget],
    since_ns: int,
    until_ns: int,
    began_ns: int | None,
) -> Noise:
    """The report of a period.

    Args:
        sent: what was delivered in it.
        handled: the incidents that were opened in it.
        evidence: of the incidents' evidence documents those that are known, by number: for the advice.
        receivers: who is to be named even if nobody told them anything, ``NAME/KIND``.
        budgets: how much whom may be told.
        since_ns: when the period begins.
        until_ns: when it ends, exclusively.
        began_ns: when the installation began to evaluate or to tell; None when that is not known.
    """
    averaged_ns = since_ns if began_ns is None else min(max(since_ns, began_ns), until_ns)
    limits = {one.receiver: one for one in budgets}
    acted = {one.number for one in handled if one.acted_on}
    names = sorted({*receivers, *(one.receiver for one in sent)})
    by_slo: dict[tuple[str, str], list[Handled]] = {}
    for one in handled:
        by_slo.setdefault((one.slo, one.service), []).append(one)
    slos = [_of_slo(slo, service, members, evidence) for (slo, service), members in by_slo.items()]
    return Noise(
        since_ns,
        until_ns,
        averaged_ns,
        tuple(
            _of_receiver(
                name, [one for one in sent if one.receiver == name], acted, limits.get(name_of(name)),
                averaged_ns, until_ns,
            )
            for name in names
        ),
        tuple(sorted(slos, key=lambda one: (not one.cries_wolf, one.acted_on - one.ended, one.slo))),
    )  # fmt: skip


def over_budget(pages: int, notifications: int, budget: NoiseBudget | None) -> bool:
    """Whether so much in one day is more than is allowed."""
    if budget is None:
        return False
    counts = ((pages, budget.pages_per_day), (notifications, budget.notifications_per_day))
    return any(limit is not None and count > limit for count, limit in counts)


def _of_receiver(
    name: str, sent: Sequence[Sent], acted: set[int], budget: NoiseBudget | None, since_ns: int, until_ns: int
) -> ReceiverNoise:
    days = max((until_ns - since_ns) / DAY_NS, 1.0)
    each, pages = Counter(_day(one.at_ns) for one in sent), Counter(_day(one.at_ns) for one in sent if one.page)
    busiest = max(each, key=lambda day: (each[day], day), default="")
    last = [one for one in sent if one.at_ns >= until_ns - DAY_NS]
    last_pages = sum(one.page for one in last)
    told_of = {one.incident for one in sent}
    return ReceiverNoise(
        name,
        notifications=len(sent),
        pages=pages.total(),
        per_day=len(sent) / days,
        pages_per_day=pages.total() / days,
        busiest_day=busiest,
        busiest=each[busiest],
        incidents=len(told_of),
        acted_on=len(told_of & acted),
        last_day=len(last),
        last_day_pages=last_pages,
        budget=budget,
        days_over=tuple(day for day in sorted(each) if over_budget(pages[day], each[day], budget)),
        over=over_budget(last_pages, len(last), budget),
    )


def _day(at_ns: int) -> str:
    return dt.datetime.fromtimestamp(at_ns // NANOS, tz=dt.UTC).date().isoformat()


def _of_slo(slo: str, service: str, members: Sequence[Handled], evidence: Mapping[int, Mapping[str, Any]]) -> SloNoise:
    ended = [one for one in members if one.resolved_ns is not None]
    worth = sum(one.acted_on for one in ended)
    wolf = len(ended) >= LEAST_ENDED and worth < WORTH * len(ended)
    lasted = [one.resolved_ns - one.opened_ns for one in ended if one.resolved_ns is not None]
    known = [evidence[one.number] for one in members if one.number in evidence]
    return SloNoise(
        slo,
        service,
        incidents=len(members),
        ended=len(ended),
        acted_on=worth,
        by_themselves=sum(one.by_itself and not one.acted_on for one in ended),
        withdrawn=sum(one.withdrawn for one in ended),
        returns=sum(one.returns for one in members),
        notifications=sum(one.told for one in members),
        median_s=median(lasted) / NANOS if lasted else None,
        cries_wolf=wolf,
        advice=_advice(ended, median(lasted), known) if wolf else (),
    )


def _advice(ended: Sequence[Handled], lasted_ns: float, known: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """What would have kept most of these quiet, the likeliest first."""
    found: list[str] = []
    withdrawn = sum(one.withdrawn for one in ended)
    if 2 * withdrawn >= len(ended):
        found.append(
            f"late data proved {withdrawn} of {len(ended)} wrong: find out why they come late (a freshness SLO says "
            "when), or raise pending_for"
        )
    returns = sum(one.returns for one in ended)
    if returns >= _FLAPPING * len(ended):
        found.append(
            f"its alerts came back {returns} times in {len(ended)} incidents: raise keep_firing_for or reopen_within"
        )
    totals = [value for one in known if isinstance(value := one.get("total"), int | float)]
    if totals and median(totals) < _FEW:
        found.append(
            f"half of its incidents rest on {median(totals):.6g} events or fewer: a ratio of so few says little. Leave "
            "the gate on, widen the SLO (fewer fields under per, a longer window), or let it open tickets only"
        )
    left = [value for one in known if isinstance(value := (one.get("budget") or {}).get("remaining"), int | float)]
    if left and median(left) > _PLENTY:
        found.append(
            f"{100 * median(left):.0f} % of the budget was left when half of them fired: nobody missed it. Lower the "
            "objective to what people notice, or write alert: ticket-only"
        )
    if lasted_ns < _SHORT_NS:
        lasted = format_duration(max(int(lasted_ns) // NANOS, 1) * NANOS)
        found.append(
            f"half of them were over within {lasted}, before anybody could act: raise pending_for, or alert on longer "
            "windows"
        )
    found.append(
        "nobody acted on most of them: if nothing is to be done, remove the alert (alert: none) and watch the budget"
    )
    return tuple(found)
