"""Lint: what an SLO says correctly but cannot mean. It reports, and changes nothing.

An error is what can never work (an alert that cannot fire); a warning is what is probably not meant.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from typing import Final

from detectors.slo.compile import compile_rules
from detectors.slo.fitting import least_window_ns
from detectors.slo.kinds.composite import Composite
from detectors.slo.nodes import nearest
from detectors.slo.spec import Slo, SloSet
from telemetry.errors import Problem
from telemetry.schema import FIELD_BY_NAME
from telemetry.windows import format_duration

MOST_GROUPS: Final = ("user", "session", "prompt_hash", "instance")
"""Fields with so many values that a budget for each of them is hardly ever meant."""


def lint(slos: SloSet, runbooks: Collection[str] | None = None) -> list[Problem]:
    """The warnings of the reading, and then every problem of every SLO, in the order of the files.

    Args:
        slos: the SLOs as parsed.
        runbooks: names of the runbooks there are; None leaves runbook names unchecked.
    """
    parts = frozenset(part.slo for slo in slos.slos if isinstance(slo.sli, Composite) for part in slo.sli.components)
    problems = [*slos.warnings, *(problem for slo in slos.slos for problem in _Linter(slo, parts).problems(runbooks))]
    problems.extend(_same_meaning(slos))
    return problems


def _same_meaning(slos: SloSet) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for slo in slos.slos:
        window = slo.window_ns, slo.calendar, slo.budgeting
        meaning = repr((slo.service, slo.sli, slo.where, sorted(slo.per), slo.objective, window))
        earlier = seen.setdefault(meaning, slo.name)
        if earlier != slo.name:
            yield _problem(slo, "name", "warning", f"says the same as {earlier}", "keep one of them")


def _problem(slo: Slo, field: str, severity: str, message: str, remedy: str) -> Problem:
    return Problem(slo.origin.file, slo.origin.line_of(field), f"{slo.name}.{field}", message, remedy, severity)


class _Linter:
    """The checks of one SLO."""

    def __init__(self, slo: Slo, components: frozenset[str]) -> None:
        """Check ``slo``; ``components`` names those that composites alert for."""
        self.slo = slo
        self._is_component = slo.name in components

    def problems(self, runbooks: Collection[str] | None) -> Iterator[Problem]:
        """Everything that is wrong with it, in the order of the checks."""
        yield from self._objective()
        yield from self._alert()
        yield from self._conditions()
        yield from self._sli()
        if runbooks is not None and self.slo.runbook is not None and self.slo.runbook not in runbooks:
            found = nearest(self.slo.runbook, runbooks)
            remedy = f"did you mean {found}?" if found else f"write {self.slo.runbook}.md, or leave the key out"
            yield self._error("runbook", f"there is no runbook {self.slo.runbook!r}", remedy)

    @property
    def _judges_metrics(self) -> bool:
        """Whether nothing is counted of records, so that names are those of metrics' labels."""
        return not compile_rules(self.slo)

    def _error(self, field: str, message: str, remedy: str) -> Problem:
        return _problem(self.slo, field, "error", message, remedy)

    def _warning(self, field: str, message: str, remedy: str) -> Problem:
        return _problem(self.slo, field, "warning", message, remedy)

    def _objective(self) -> Iterator[Problem]:
        objective = self.slo.objective
        if self.slo.allowance is not None:
            return
        if not 0 < objective < 1:
            yield self._error("objective", f"{objective:g} is not within (0, 1)", "write 99.5% or 0.995")
        elif objective < 0.5:
            remedy = f"did you mean {1 - objective:.4%}?"
            yield self._warning("objective", f"allows {1 - objective:.4%} of everything to be bad", remedy)
        elif objective > 0.99999:
            message = f"allows only {1 - objective:.2g} of everything to be bad"
            yield self._warning("objective", message, "more than five nines can hardly be measured")

    def _alert(self) -> Iterator[Problem]:
        policy = self.slo.policy
        if not 0 < self.slo.objective < 1 and self.slo.allowance is None:
            return
        highest = 1 / self.slo.error_budget if self.slo.allowance is None else math.inf
        least_ns = least_window_ns(self.slo)
        for pair in policy.pairs:
            name = f"the {pair.severity} at {pair.factor:g}x over {format_duration(pair.long_ns)}"
            if pair.factor >= highest:
                message = f"{name} can never fire: {self.slo.objective:.6g} burns at most {highest:g}x"
                remedy = f"write the alert in place, with factors below {highest:g}, or raise the objective"
                yield self._error("alert", message, remedy)
            if pair.short_ns < least_ns:
                window, piece = format_duration(pair.short_ns), format_duration(self.slo.slice_ns or 0)
                message = f"{name} can never fire: no slice of {piece} is judged within its short window of {window}"
                remedy = f"use windows of at least {format_duration(least_ns)}, or shorter slices"
                yield self._error("alert", message, remedy)
            if pair.long_ns > self.slo.window_ns:
                yield self._warning("alert", f"{name} looks further back than the SLO's window", "use a shorter window")
            if pair.factor < 0.5:
                yield self._warning("alert", f"{name} fires while the budget lasts twice over", "raise the factor")
        windows = [(pair.severity, pair.long_ns) for pair in policy.pairs]
        for severity, long_ns in sorted({window for window in windows if windows.count(window) > 1}):
            message = f"two alerts of severity {severity} look back over {format_duration(long_ns)}"
            yield self._error("alert", message, "keep one: their labels would be the same")
        if not policy.pairs and policy.sequential is None and not self._is_component:
            yield self._warning("alert", "nothing is alerted", "use page-and-ticket, unless that is meant")
        if policy.pairs and not policy.gate and self.slo.allowance is None:
            yield self._warning("alert", "the gate is off: quiet groups will page for single failures", "leave it on")

    def _conditions(self) -> Iterator[Problem]:
        for place, matcher in enumerate(self.slo.where.items):
            field = f"where[{place}]"
            if matcher.name == "service" and not matcher.accepts(self.slo.service):
                remedy = "leave it out: service is a condition already"
                yield self._error(field, f"{matcher} contradicts service: {self.slo.service}", remedy)
            elif matcher.name == "error_type" and self.slo.kind == "errors":
                remedy = "errors are what is counted; drop the condition"
                yield self._warning(field, f"{matcher} chooses events by their error", remedy)
            yield from self._name(field, matcher.name)
        for place, name in enumerate(self.slo.per):
            yield from self._name(f"per[{place}]", name)
            if name in MOST_GROUPS and not self._judges_metrics:
                remedy = "group by tenant, model or input_type"
                yield self._warning(f"per[{place}]", f"{name} makes a budget for each of very many values", remedy)

    def _name(self, field: str, name: str) -> Iterator[Problem]:
        found = None if name in FIELD_BY_NAME or self._judges_metrics else nearest(name, FIELD_BY_NAME)
        if found and "." not in name:
            remedy = f"did you mean {found}?"
            yield self._warning(field, f"{name} is no canonical field, so it is looked up as an attribute", remedy)

    def _sli(self) -> Iterator[Problem]:
        slice_ns = self.slo.slice_ns
        if slice_ns is not None and self.slo.window_ns / slice_ns * self.slo.error_budget < 1:
            slices = self.slo.window_ns / slice_ns
            message = f"a window of {slices:.0f} slices allows less than one bad slice at this objective"
            yield self._warning("objective", message, "lower the objective, or shorten the slice")
        for remark in self.slo.sli.lint(self.slo.error_budget):
            field = f"sli.{self.slo.kind}.{remark.key}".rstrip(".")
            yield _problem(self.slo, field, remark.severity, remark.message, remark.remedy)
