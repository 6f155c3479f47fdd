"""Labels of a simulation's requests: late, sometimes wrong, sometimes put right. They are counted as the service does.

A label counts at the time at which it is given. One that is put right is taken back where it counted, and the right one
counts when it comes (see ``tailwatch.labels``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.cardinality import CardinalityGuard
from collector.rollup import roll_up
from tailwatch.backtest.timeline import at_bucket_end
from tailwatch.labels import judged_by
from tailwatch.simulation.scenario import Predictions, Scenario
from tailwatch.simulation.struck import rows_of, strength_of, strikes_within
from telemetry.columns import Columns
from telemetry.deltas import SliDelta
from telemetry.rules import RollupRule
from telemetry.schema import LABEL_CORRECT
from telemetry.windows import BUCKET_NS

_STREAM: Final = 2
"""Which of a seed's further streams of random numbers the labels are drawn from."""


_LONGEST_NS: Final = 1e17
"""Three years: no simulation lasts so long."""


class LabelSource:
    """Draws the labels of requests, and counts them by those rules that count labels."""

    def __init__(self, scenario: Scenario, rules: Sequence[RollupRule], guard: CardinalityGuard) -> None:
        self._scenario = scenario
        self._rules = judged_by(rules)
        self._guard = guard
        self._generator = np.random.default_rng(np.random.SeedSequence(scenario.seed, spawn_key=(_STREAM,)))
        names = sorted({name for piece in scenario.slices for name in piece.labels})
        self._slices = [
            ({name: piece.labels.get(name, "") for name in names}, piece.mistakes) for piece in scenario.slices
        ]

    @property
    def names(self) -> frozenset[str]:
        """The fields of requests that are needed beside those that rules read."""
        return frozenset(name for labels, _ in self._slices for name in labels) if self._rules else frozenset()

    def counted(self, requests: Columns) -> Iterator[tuple[int, SliDelta]]:
        """What the labels of ``requests`` count, each with the time (ns) from which on it is known."""
        predictions = self._scenario.predictions
        if predictions is None or not self._rules or not len(requests):
            return
        struck = [one for one in self._scenario.disturbances if strikes_within(one, self._scenario, requests)]
        lost = np.zeros(len(requests))
        for one in struck:
            lost = _either(lost, one.labels.lost * strength_of(one, self._scenario, requests))
        given = requests.take(np.flatnonzero(self._generator.random(len(requests)) < predictions.labelled * (1 - lost)))
        if not len(given):
            return
        mistaken = self._generator.random(len(given)) < self._mistakes(predictions, given)
        chance = np.full(len(given), predictions.wrong)
        delay = np.log(predictions.delay_ns) + predictions.delay_sigma * self._generator.standard_normal(len(given))
        for one in struck:
            strength = strength_of(one, self._scenario, given)
            chance = _either(chance, one.labels.wrong * strength)
            delay += np.log(one.labels.delay) * strength
        wrong = self._generator.random(len(given)) < chance
        time_ns = given.time_ns + np.minimum(np.exp(delay), _LONGEST_NS).astype(np.int64)
        yield from at_bucket_end(self._count(given, time_ns, mistaken == wrong))
        if predictions.revised_ns is None or not wrong.any():
            return
        again = np.flatnonzero(wrong)
        revised, at_ns, was_right = given.take(again), time_ns[again], mistaken[again]
        for row in self._count(revised, at_ns, was_right):
            known_ns = row.bucket_ns + BUCKET_NS + predictions.revised_ns
            yield known_ns, row._replace(good=-row.good, total=-row.total)
        yield from at_bucket_end(self._count(revised, at_ns + predictions.revised_ns, ~was_right))

    def _count(self, requests: Columns, time_ns: NDArray[np.int64], right: NDArray[np.bool_]) -> tuple[SliDelta, ...]:
        numbers = {**requests.numbers, LABEL_CORRECT: right.astype(np.float64)}
        labelled = replace(requests, time_ns=time_ns, numbers=numbers)
        return roll_up(labelled, self._rules, self._guard, int(time_ns.max())).sli

    def _mistakes(self, predictions: Predictions, requests: Columns) -> NDArray[np.float64]:
        """(n,) probability that a prediction is wrong."""
        chance = np.full(len(requests), predictions.mistakes)
        for labels, factor in self._slices:
            if factor != 1.0:
                chance[rows_of(requests, labels)] = min(predictions.mistakes * factor, 1.0)
        for one in self._scenario.disturbances:
            if one.mistakes > 0 and strikes_within(one, self._scenario, requests):
                chance = _either(chance, one.mistakes * strength_of(one, self._scenario, requests))
        return chance


def _either(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """The probability of at least one of two that are independent."""
    return np.asarray(1.0 - (1.0 - one) * (1.0 - other))
