"""Alertmanager's inhibition rules: which alert keeps which other quiet; it changes no state and silences nobody else.

A target is inhibited while a source is active that agrees with it on every label of ``equal`` (two that lack a label
agree). An alert that is source and target of a rule is not inhibited by another that is both, or they would silence
each other. Two rules can still form a ring, in which Alertmanager tells nobody anything; here the most important
alert of a ring is let through.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from telemetry.matchers import Matchers

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class InhibitRule:
    """While an alert that ``source`` accepts is active, alerts that ``target`` accepts are quiet.

    ``equal``: labels on which the two must agree.
    """

    source: Matchers
    target: Matchers
    equal: tuple[str, ...] = ()

    def agreement(self, labels: Labels) -> tuple[str, ...]:
        """What source and target must have in common."""
        return tuple(labels.get(name, "") for name in self.equal)


@dataclass(slots=True)
class _Sources:
    """The active sources of a rule, by what they must have in common with a target, the most important first."""

    rule: InhibitRule
    pure: dict[tuple[str, ...], list[str]] = field(default_factory=dict)
    targets_too: dict[tuple[str, ...], list[str]] = field(default_factory=dict)

    def add(self, fingerprint: str, labels: Labels) -> None:
        if self.rule.source.accepts(labels):
            kind = self.targets_too if self.rule.target.accepts(labels) else self.pure
            kind.setdefault(self.rule.agreement(labels), []).append(fingerprint)

    def of(self, labels: Labels) -> list[str]:
        """Those that may inhibit an alert with these labels."""
        if not (self.pure or self.targets_too) or not self.rule.target.accepts(labels):
            return []
        agreement = self.rule.agreement(labels)
        others = [] if self.rule.source.accepts(labels) else self.targets_too.get(agreement, [])
        return [*self.pure.get(agreement, []), *others]


def inhibitors(rules: Sequence[InhibitRule], active: Mapping[str, Labels]) -> dict[str, str]:
    """Who keeps whom quiet, by fingerprint. Whoever is found so is, in the end, kept quiet by somebody who is not.

    Args:
        rules: the configured rules.
        active: labels of the alerts that hold, by fingerprint, the most important first.
    """
    by_rule = [_Sources(rule) for rule in rules]
    for sources in by_rule:
        for fingerprint, labels in active.items():
            sources.add(fingerprint, labels)
    found: dict[str, str] = {}
    # The least important first: who would close a ring is let through, and that is then the most important of it.
    for target, labels in reversed(list(active.items())):
        for sources in by_rule:
            source = next((one for one in sources.of(labels) if not _leads_to(found, one, target)), None)
            if source is not None:
                found[target] = source
                break
    return found


def _leads_to(found: Mapping[str, str], start: str, end: str) -> bool:
    """Whether ``start`` is ``end``, or is kept quiet by it, directly or through others."""
    place: str | None = start
    while place is not None and place != end:
        place = found.get(place)
    return place is not None
