"""Lint against what was observed: what an SLO says correctly but the traffic that there is cannot bear out.

It reads nothing itself: whoever has records counts them into :class:`Observed`. Everything it says holds for the time
that was observed; so nothing is an error, and a suggestion is what history would have supported.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from detectors.slo.alerts import DEFAULT_ARL_NS
from detectors.slo.evidence import MIN_BAD_EVENTS
from detectors.slo.ledger import HOUR_NS, MINUTE_NS
from detectors.slo.nodes import nearest
from detectors.slo.reach import Reach
from detectors.slo.spec import BurnPair, Slo
from telemetry.errors import Problem
from telemetry.matchers import Matcher
from telemetry.windows import NANOS, format_duration

WARNING: Final = "warning"
SUGGESTION: Final = "suggestion"
_OBJECTIVES: Final = (0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999)
_ENOUGH_EVENTS: Final = 100
"""Fewer say nothing about a share."""
_Z: Final = 1.96
"""Two-sided 95 % of the normal distribution."""
_FAR: Final = 2.0
"""A threshold that never decided anything is worth a word when it is so many times away from all values."""
_NEARLY_FULL: Final = 0.8


@dataclass(frozen=True, slots=True)
class Observed:
    """What was seen of one SLO.

    Attributes:
        span_ns: from the oldest record of any service to now, at most what was asked for.
        services: all services that sent anything.
        of_service: records of the SLO's service.
        matching: how many of them satisfy each of its conditions alone, in the order of ``where``.
        values: the values that its service has in fields that conditions name, the most frequent first.
        having: how many of its service's records have each field of ``per``.
        groups: good and valid events by group; the overflow group is none of them.
        lowest, highest, p99: of the measure that it bounds, over valid events; None for other kinds.
    """

    span_ns: int
    services: Collection[str]
    of_service: int
    matching: tuple[int, ...] = ()
    values: Mapping[str, Collection[str]] = field(default_factory=dict)
    having: Mapping[str, int] = field(default_factory=dict)
    groups: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    lowest: float | None = None
    highest: float | None = None
    p99: float | None = None

    @property
    def good(self) -> int:
        """Good events of all groups."""
        return sum(good for good, _ in self.groups.values())

    @property
    def valid(self) -> int:
        """Valid events of all groups."""
        return sum(valid for _, valid in self.groups.values())


def lint_observed(slo: Slo, seen: Observed, max_groups: int) -> list[Problem]:
    """What is probably not meant, given what was seen; the most fundamental first, and nothing that follows from it."""
    return [
        Problem(slo.origin.file, slo.origin.line_of(key), f"{slo.name}.{key}", message, remedy, severity)
        for key, severity, message, remedy in _Against(slo, seen, max_groups).remarks()
    ]


_Remark = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class _Against:
    """One SLO against what was seen of it."""

    slo: Slo
    seen: Observed
    max_groups: int

    @property
    def _past(self) -> str:
        return f"in the last {format_duration(_rounded(self.seen.span_ns))}"

    def remarks(self) -> Iterator[_Remark]:
        """(field, severity, message, remedy) of each."""
        slo, seen = self.slo, self.seen
        if not seen.of_service:
            near = nearest(slo.service, seen.services)
            remedy = f"did you mean {near}?" if near else _listed("services that did", seen.services)
            yield "service", WARNING, f"{slo.service} sent nothing {self._past}", remedy
            return
        conditions = list(self._conditions())
        yield from conditions
        yield from self._fields()
        yield from self._cardinality()
        if not seen.valid:
            if not conditions:
                message = f"none of {seen.of_service} records of {slo.service} {self._past} is an event of this SLO"
                remedy = "check that what it measures is sent, and that the conditions can hold together"
                yield "sli", WARNING, message, remedy
            return
        yield from self._threshold()
        if slo.slice_ns is None and slo.allowance is None:
            yield from self._support()
            yield from self._pages()
            yield from self._objective()

    def _conditions(self) -> Iterator[_Remark]:
        for place, (matcher, count) in enumerate(zip(self.slo.where.items, self.seen.matching, strict=True)):
            if count:
                continue
            message = f"{matcher} matches none of {self.seen.of_service} records of {self.slo.service} {self._past}"
            yield f"where[{place}]", WARNING, message, self._near_miss(matcher)

    def _near_miss(self, matcher: Matcher) -> str:
        values = self.seen.values.get(matcher.name, ())
        if not values:
            return f"no record of the service has {matcher.name}: check the name, and that it is sent"
        folded = {value.casefold(): value for value in reversed(list(values))}
        near = folded.get(matcher.value.casefold()) or nearest(matcher.value, values)
        if matcher.op == "=" and near:
            return f"did you mean {Matcher(matcher.name, '=', near)}?"
        return _listed(f"values of {matcher.name}", values)

    def _fields(self) -> Iterator[_Remark]:
        for place, name in enumerate(self.slo.per):
            if not self.seen.having.get(name):
                message = f"no record of {self.slo.service} {self._past} has {name}: all are one group without a name"
                yield f"per[{place}]", WARNING, message, "check the name, and that it is sent"

    def _cardinality(self) -> Iterator[_Remark]:
        groups = len(self.seen.groups)
        if groups >= self.max_groups:
            message = f"more than {self.max_groups} groups {self._past}: further ones are counted together"
            yield "per", WARNING, message, "leave out the field with the most values, or raise max_groups"
        elif groups > _NEARLY_FULL * self.max_groups:
            message = f"{groups} groups {self._past}, of {self.max_groups} that fit"
            yield "per", WARNING, message, "leave out the field with the most values, or raise max_groups"

    def _threshold(self) -> Iterator[_Remark]:
        facts, seen = self.slo.sli.facts(), self.seen
        below = facts.get("below")
        if below is None or seen.highest is None or seen.lowest is None or seen.p99 is None:
            return
        key, unit = f"sli.{self.slo.kind}.below", f" {facts['unit']}" if facts.get("unit") else ""
        p99 = f"the p99 of {facts['measure']} {self._past} was {seen.p99:.3g}{unit}"
        if seen.highest * _FAR <= below:
            highest = f"and the highest {seen.highest:.3g}{unit}"
            message = f"{p99}, {highest}: a threshold of {below:g}{unit} is never reached"
            yield key, WARNING, message, f"something like {_above(seen.p99):g}{unit} would notice a change"
        elif seen.lowest >= below:
            message = f"the lowest {facts['measure']} {self._past} was {seen.lowest:.3g}{unit}: every event is bad"
            yield key, WARNING, message, f"{p99}; check the unit of the threshold"

    def _support(self) -> Iterator[_Remark]:
        group, events = self._quietest()
        expected = events * self.slo.window_ns / self.seen.span_ns
        budget = self.slo.error_budget * expected
        if budget >= 1:
            return
        whose = "" if group == "{}" else f" of the group {group}"
        message = (
            f"at the traffic {self._past}, about {expected:,.0f} events a window{whose}, the budget is"
            f" {budget:.2g} events: a single bad one spends more than all of it"
        )
        highest = max((one for one in _OBJECTIVES if (1 - one) * expected >= 1), default=None)
        enough_ns = math.ceil(self.slo.window_ns / budget / (86400 * NANOS)) * 86400 * NANOS if budget else 0
        remedies = [f"an objective of {_percent(highest)}"] if highest and highest < self.slo.objective else []
        remedies += [f"a window of {format_duration(enough_ns)}"] if 0 < enough_ns <= 366 * 86400 * NANOS else []
        remedies += ["fewer groups"] if self.slo.per else []
        remedy = f"it takes {' or '.join(remedies)}" if remedies else "it takes more traffic"
        yield "objective", WARNING, message, remedy

    def _pages(self) -> Iterator[_Remark]:
        if not self.slo.policy.gate:
            return
        _, events = self._quietest()
        hopeless: list[tuple[BurnPair, float]] = []
        for pair in self.slo.policy.pairs:
            within = events * pair.long_ns / self.seen.span_ns
            if within < MIN_BAD_EVENTS:
                hopeless.append((pair, within))
        if hopeless:
            pair, within = max(hopeless, key=lambda one: one[0].long_ns)
            whose = " of the quietest group" if len(self.seen.groups) > 1 else ""
            message = (
                f"at {within:.2g} events{whose} in {format_duration(pair.long_ns)}, the {pair.severity} at"
                f" {pair.factor:g}x cannot fire: even when all fail they are fewer than the {MIN_BAD_EVENTS} bad ones"
                " that evidence takes"
            )
            yield "alert", WARNING, message, "rely on the sequential alert, watch a wider group, or send probes"
        yield from self._reach(events)

    def _reach(self, events: int) -> Iterator[_Remark]:
        policy = self.slo.policy
        arl_ns = policy.sequential.arl_ns if policy.sequential else DEFAULT_ARL_NS
        reach = Reach(self.slo.error_budget, arl_ns, MIN_BAD_EVENTS, self.seen.span_ns / max(events, 1))
        hour, hours = (reach.error_rate(count * HOUR_NS) for count in (1, 6))
        fastest = max((pair.factor for pair in policy.pairs), default=0.0) * self.slo.error_budget
        if not events or not policy.pairs or (hour is not None and hour <= fastest):
            return
        rates = [
            f"{format_duration(count * HOUR_NS)} {f'{_percent(round(rate, 4))} errors' if rate else 'nothing'}"
            for count, rate in ((1, hour), (6, hours))
        ]
        message = (
            f"at {events * HOUR_NS / self.seen.span_ns:.3g} events an hour, an outage is noticed after"
            f" {reach.outage_ns() / MINUTE_NS:.3g} min on average; the least that is noticed is"
            f" within {', within '.join(rates)}"
        )
        yield "alert", SUGGESTION, message, "watch a wider group, or send probes, to know more and sooner"

    def _objective(self) -> Iterator[_Remark]:
        if self.seen.valid < _ENOUGH_EVENTS:
            return
        share = self.seen.good / self.seen.valid
        surely = _wilson_lower(self.seen.good, self.seen.valid)
        supported = max((one for one in _OBJECTIVES if one <= surely), default=None)
        told = f"{_percent(share)} of {self.seen.valid:,} events were good {self._past}"
        if share < self.slo.objective:
            remedy = f"history supports {_percent(supported)}" if supported else "mend the service first"
            yield (
                "objective",
                SUGGESTION,
                f"{told}: the objective of {_percent(self.slo.objective)} was not met",
                remedy,
            )
        elif supported and supported > self.slo.objective:
            yield "objective", SUGGESTION, told, f"history supports {_percent(supported)}"

    def _quietest(self) -> tuple[str, int]:
        """The group with the fewest events, and how many it had."""
        return min(((group, valid) for group, (_, valid) in self.seen.groups.items()), key=lambda one: one[1])


def _wilson_lower(good: int, valid: int) -> float:
    """Lower end of the 95 % interval of a share (Wilson 1927), not below 0."""
    share, z2 = good / valid, _Z * _Z
    centre = share + z2 / (2 * valid)
    spread = _Z * math.sqrt(share * (1 - share) / valid + z2 / (4 * valid * valid))
    return max(0.0, (centre - spread) / (1 + z2 / valid))


def _above(value: float) -> float:
    """The next round number above a value: one significant digit, or a half."""
    if value <= 0:
        return 0.001
    scale = 10.0 ** math.floor(math.log10(value))
    return next(step * scale for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10, 15) if step * scale > value * 1.1)


def _rounded(span_ns: int) -> int:
    """To whole minutes, hours or days, whichever leave at least two."""
    for unit_ns in (86400 * NANOS, 3600 * NANOS, 60 * NANOS):
        if span_ns >= 2 * unit_ns:
            return round(span_ns / unit_ns) * unit_ns
    return max(round(span_ns / NANOS), 1) * NANOS


def _percent(share: float) -> str:
    return f"{100 * share:.6g} %"


def _listed(what: str, values: Collection[str], most: int = 5) -> str:
    found = list(values)
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return f"{what}: {', '.join(found[:most])}{more}" if found else f"there are no {what}"
