"""Which slices carry the excess of bad events: the fewest and simplest that explain most of it, or none.

Greedy over single values and pairs: the slice with the best scan score is taken, its records are removed, and the
search goes on among the rest, until 80 % of the excess is explained. A slice is only taken when there is evidence
(alpha, over all slices looked at) and when its excess a event is at least twice that outside it. A pair is preferred to
a single value only when the single value's other records are nearly clean, so "code" beats "code of tenant acme" unless
code of other tenants is fine. Of equally good slices the one of the earlier dimension is named. Where the excess is all
over the traffic, or cannot be explained by a few slices, no slice is named.

Assumes: see :mod:`detectors.attribution.concentration`. Which of two dimensions that coincide record by record is the
cause can not be told from records.
Guarantee: when the excess is spread evenly over the traffic, a slice is named with probability of at most alpha.

Source: the search follows Bhagwan et al., "Adtributor: revenue debugging in advertising systems", NSDI 2014
(explanatory power and succinctness); the score is Kulldorff's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from detectors.attribution.concentration import SUPPORT, Concentration, concentration, excess_p_value
from detectors.attribution.dimensions import DIMENSIONS, CodedDimension, code_dimensions
from detectors.attribution.expectation import expected_rates
from detectors.attribution.tallies import Events, Key, Tallies, rows_of, tally, tally_whole
from telemetry.columns import Columns
from telemetry.rules import GoodWhen

ALPHA: Final = 0.01
EXPLAINED: Final = 0.8
"""Share of the excess that a set of slices must carry to be named."""
MOST_SLICES: Final = 3
LISTED_SLICES: Final = 20
CONTRAST: Final = 2.0
"""How many times the excess an event outside a slice that inside it must be."""
CLEAN: Final = 0.25
"""Excess an event, relative to that of a pair, up to which the rest of a single value counts as clean."""
TIE: Final = 0.02
"""Relative difference of scores within which two slices fit equally well."""


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of the traffic and its bad events.

    Attributes:
        labels: one or two dimensions with their values.
        bad, total: bad events and events since the onset.
        expected: bad events that its earlier rate leads one to expect.
        excess: ``bad - expected``.
        excess_share: of the excess of all traffic; slices overlap, so shares do not add up.
        p_value: that the excess is spread evenly over the traffic, adjusted for all slices that were looked at.
    """

    labels: Mapping[str, str]
    bad: int
    total: int
    expected: float
    excess: float
    excess_share: float
    p_value: float

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Names of the dimensions."""
        return tuple(self.labels)

    @property
    def values(self) -> tuple[str, ...]:
        """Values of the dimensions, in the same order."""
        return tuple(self.labels.values())

    def evidence(self) -> dict[str, Any]:
        """The slice as a JSON document."""
        return {
            "dimension": " and ".join(self.dimensions), "value": " and ".join(self.values), "labels": dict(self.labels),
            "bad": self.bad, "total": self.total, "expected": self.expected, "excess_share": self.excess_share,
            "p_value": self.p_value,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Attribution:
    """Where an excess of bad events sits.

    Attributes:
        bad, total: bad events and events since the onset.
        expected: bad events that the earlier rates lead one to expect.
        excess: ``bad - expected``.
        explanation: the smallest set of slices that carries the excess, largest first; empty for all of the traffic.
        explained: share of the excess that the explanation carries, 0..1.
        slices: the slices with more than their share, those of the explanation first, then by score; at most 20.
        reason: why there is no explanation; empty when there is one.
        risen: whether there is evidence of an excess at all.
    """

    bad: int
    total: int
    expected: float
    excess: float
    explanation: tuple[Slice, ...]
    explained: float
    slices: tuple[Slice, ...]
    reason: str = ""
    risen: bool = True

    @property
    def labels(self) -> dict[str, str]:
        """The labels of the explanation when it is one slice, or one dimension's values joined by ``|``; else empty."""
        names = {item.dimensions for item in self.explanation}
        if len(names) != 1:
            return {}
        if len(self.explanation) == 1:
            return dict(self.explanation[0].labels)
        dimensions = next(iter(names))
        if len(dimensions) > 1:
            return {}
        return {dimensions[0]: "|".join(sorted(item.values[0] for item in self.explanation))}

    def evidence(self, limit: int = 5) -> list[dict[str, Any]]:
        """The foremost slices as a JSON document."""
        return [item.evidence() for item in self.slices[:limit]]


def attribute(
    before: Columns,
    after: Columns,
    good: GoodWhen,
    dimensions: Sequence[str] = DIMENSIONS,
    *,
    alpha: float = ALPHA,
) -> Attribution:
    """Say which slices carry the excess of events that are not ``good``.

    Args:
        before: records of the baseline; may be empty, then every bad event is excess.
        after: records since the onset.
        good: which records are valid events, and which of them good; slow and expensive events by ``Below``.
        dimensions: string fields to look at, the more telling first.
        alpha: the chance of naming a slice when the excess is spread evenly.
    """
    earlier, bad_before = _events(before, good)
    later, bad_after = _events(after, good)
    coded = code_dimensions(earlier, later, dimensions)
    rates_before, rates_after = expected_rates(coded, bad_before, len(later))
    first = Events(bad_before, rates_before, np.ones(len(earlier), dtype=np.bool_))
    second = Events(bad_after, rates_after, np.ones(len(later), dtype=np.bool_))
    whole = tally_whole(first, second)
    bad, expected = int(whole.bad[0]), float(whole.expected[0])
    everything = _search(coded, first, second)
    risen = bad > 0 and excess_p_value(whole, len(earlier)) <= alpha
    reason = "" if risen else "there are no more bad events than before"
    chosen, explained = ([], 0.0) if reason else _explain(everything, first, second, alpha=alpha, excess=bad - expected)
    if explained < EXPLAINED:
        reason = reason or "the excess is not confined to a few slices of the traffic"
    explanation = () if reason else tuple(sorted(chosen, key=lambda item: -item.excess))
    return Attribution(
        bad, int(whole.total[0]), expected, bad - expected, explanation,
        explained=min(explained, 1.0) if explanation else 0.0,
        slices=_listed(explanation, everything, bad - expected),
        reason=reason, risen=risen,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class _Search:
    """Every slice of the records that are still unexplained."""

    dimensions: Sequence[CodedDimension]
    keys: tuple[Key, ...]
    tallies: Tallies
    found: Concentration

    def slice(self, place: int, excess: float) -> Slice:
        labels = {self.dimensions[at].name: self.dimensions[at].values[code] for at, code in self.keys[place]}
        own = float(self.found.excess[place])
        return Slice(
            labels, int(self.tallies.bad[place]), int(self.tallies.total[place]), float(self.found.expected[place]),
            own, min(max(own / excess, 0.0), 1.0) if excess > 0 else 0.0, float(self.found.p_value[place]),
        )  # fmt: skip


def _search(dimensions: Sequence[CodedDimension], before: Events, after: Events) -> _Search:
    keys, tallies = tally(dimensions, before, after)
    return _Search(dimensions, keys, tallies, concentration(tallies, tally_whole(before, after)))


def _explain(
    search: _Search, before: Events, after: Events, *, alpha: float, excess: float
) -> tuple[list[Slice], float]:
    """The slices taken, and the share of the excess that they carry; ``search`` is that of all records."""
    chosen: list[Slice] = []
    explained = 0.0
    while explained < EXPLAINED and len(chosen) < MOST_SLICES:
        place = _best(search, alpha)
        if place is None:
            break
        chosen.append(search.slice(place, excess))
        explained += chosen[-1].excess_share
        taken_before, taken_after = rows_of(search.keys[place], search.dimensions)
        before, after = before.without(taken_before), after.without(taken_after)
        if explained < EXPLAINED:
            search = _search(search.dimensions, before, after)
    return chosen, explained


def _events(columns: Columns, good: GoodWhen) -> tuple[Columns, NDArray[np.bool_]]:
    valid, fine = good.masks(columns)
    return columns.take(valid), ~fine[valid]


def _best(search: _Search, alpha: float) -> int | None:
    """The slice to take: the simplest of the best; None when none qualifies."""
    found = search.found
    contrast = found.excess / np.maximum(search.tallies.total, 1.0) >= CONTRAST * found.rate_outside
    fit = found.supported & (found.p_value <= alpha) & contrast & (found.excess > 0) & (found.score > 0)
    singles = np.asarray([len(key) == 1 for key in search.keys], dtype=np.bool_)
    single, pair = _top(found.score, fit & singles), _top(found.score, fit & ~singles)
    if pair is None or (single is not None and found.score[single] >= found.score[pair] * (1 - TIE)):
        return single
    return pair if _parents_are_clean(pair, search) else single


def _top(score: NDArray[np.float64], among: NDArray[np.bool_]) -> int | None:
    """The best of ``among``, the earliest of those that fit as well."""
    places = np.flatnonzero(among)
    if not len(places):
        return None
    return int(places[np.argmax(score[places] >= score[places].max() * (1 - TIE))])


def _parents_are_clean(pair: int, search: _Search) -> bool:
    """Whether each of the pair's two values is nearly free of excess elsewhere, on enough events to say so."""
    total, excess = search.tallies.total, search.found.excess
    for part in search.keys[pair]:
        parent = search.keys.index((part,))
        others = total[parent] - total[pair]
        if others < SUPPORT or (excess[parent] - excess[pair]) / others > CLEAN * excess[pair] / total[pair]:
            return False
    return True


def _listed(explanation: tuple[Slice, ...], search: _Search, excess: float) -> tuple[Slice, ...]:
    score = search.found.score
    ordered = [int(place) for place in np.argsort(-score, kind="stable") if score[place] > 0]
    named = [item.labels for item in explanation]
    rest = (search.slice(place, excess) for place in ordered[: LISTED_SLICES + len(named)])
    return (*explanation, *(item for item in rest if item.labels not in named))[:LISTED_SLICES]
