"""The requests of a simulation as columns, every one drawn, in pieces of event time. It counts and judges nothing.

A request is drawn by when it ended, since that is its event time. Failures come in blocks of consecutive requests of a
slice, each with a rate of its own (beta distributed), and what an incident adds is independent of them. Measures are
mixtures of lognormals. Only fields that somebody reads are drawn; each has a stream of random numbers of its own, so
that reading one more changes none of the others.

Normal and uniform numbers are drawn with 24 bits (float32): a share of p is met to within 2^-24 / p of itself, and no
duration of more than 5.5 sigma is drawn too rarely to matter, at half the cost.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tailwatch.simulation.scenario import DAY_NS, Component, Disturbance, Failures, Scenario
from tailwatch.simulation.traffic import counts, course
from telemetry.columns import Columns, StringColumn
from telemetry.windows import BUCKET_NS

_PIECE_EVENTS: Final = 60_000
"""Requests of a piece, about: enough that a call costs nothing, few enough for the processor's cache."""
_LONGEST_NS: Final = DAY_NS

Numbers = NDArray[np.float32]


class _Failing:
    """The failure rate of each request of one slice, in the order in which they come."""

    def __init__(self, failures: Failures, factor: float, generator: np.random.Generator) -> None:
        self._rate = min(failures.rate * factor, 1.0)
        self._block = failures.block
        self._correlation = (failures.dispersion - 1.0) / (failures.block - 1.0) if failures.block > 1 else 0.0
        self._generator = generator
        self._left = 0
        self._current = self._rate

    def take(self, n: int) -> Numbers:
        """(n,) rates of the next requests."""
        if self._correlation <= 0 or not 0 < self._rate < 1:
            return np.full(n, self._rate, dtype=np.float32)
        first = min(self._left, n)
        blocks = -(-(n - first) // self._block)
        strength = 1.0 / self._correlation - 1.0
        drawn = self._generator.beta(self._rate * strength, (1.0 - self._rate) * strength, blocks)
        rates = np.concatenate([[self._current], drawn]).astype(np.float32)
        sizes = np.full(blocks + 1, self._block)
        sizes[0] = first
        if blocks:
            sizes[-1] = n - first - (blocks - 1) * self._block
            self._left = self._block - int(sizes[-1])
            self._current = float(drawn[-1])
        else:
            self._left -= first
        return np.repeat(rates, sizes)


class EventSource:
    """Draws the requests of a scenario."""

    def __init__(self, scenario: Scenario, fields: Collection[str]) -> None:
        """Draw those of ``fields`` that the scenario's requests have."""
        self._scenario = scenario
        wanted = scenario.fields & set(fields)
        names = sorted(scenario.measures)
        seeds = np.random.SeedSequence(scenario.seed).spawn(4 + len(names))
        traffic, times, failing, failures, *measures = (np.random.Generator(np.random.SFC64(seed)) for seed in seeds)
        self._counts = counts(scenario, traffic)
        self._times = times
        self._failures = failures if "error_type" in wanted else None
        self._failing = [_Failing(scenario.failures, piece.errors, failing) for piece in scenario.slices]
        self._measures = {name: one for name, one in zip(names, measures, strict=True) if name in wanted}
        self._labels = {name: self._label(name) for name in sorted(wanted - {"error_type"} - set(names))}

    @property
    def events(self) -> int:
        """How many requests the whole simulation has."""
        return int(self._counts.sum())

    def pieces(self) -> Iterator[tuple[int, Columns]]:
        """The end (ns) of each piece of event time, at an evaluation, and its requests, in order of the pieces."""
        scenario = self._scenario
        step = scenario.step_ns // BUCKET_NS
        per_step = np.add.reduceat(self._counts.sum(axis=0), np.arange(0, scenario.buckets, step))
        longest = max(_LONGEST_NS // scenario.step_ns, 1)
        first, events = 0, 0
        for place, count in enumerate(per_step.tolist()):
            if place > first and (events + count > _PIECE_EVENTS or place - first >= longest):
                yield self._piece(first * step, place * step)
                first, events = place, 0
            events += count
        yield self._piece(first * step, scenario.buckets)

    def _piece(self, first: int, end: int) -> tuple[int, Columns]:
        scenario = self._scenario
        numbers = self._counts[:, first:end]
        cells = numbers.ravel()
        n = int(cells.sum())
        starts_ns = scenario.start_ns + np.arange(first, end) * BUCKET_NS
        time_ns = np.repeat(np.tile(starts_ns, len(numbers)), cells)
        time_ns += (self._times.random(n, dtype=np.float32) * np.float32(BUCKET_NS)).astype(np.int64)
        sizes = numbers.sum(axis=1)
        struck = self._struck(first, end)
        strings = {
            name: StringColumn(np.repeat(codes, sizes), values) for name, (codes, values) in self._labels.items()
        }
        if self._failures is not None:
            strings["error_type"] = self._errors(sizes, cells, struck, first, end)
        measures = {name: self._measure(name, sizes, cells, struck, first, end) for name in self._measures}
        no_id = np.zeros(1, dtype=np.uint8)
        return scenario.start_ns + end * BUCKET_NS, Columns(
            signal="span", time_ns=time_ns, start_ns=time_ns,
            trace_id=np.broadcast_to(no_id, (n, 16)), span_id=np.broadcast_to(no_id, (n, 8)),
            parent_span_id=np.broadcast_to(no_id, (n, 8)),
            name=StringColumn(np.broadcast_to(np.int32(-1), (n,)), ()),
            strings=strings, numbers=measures, is_inference=np.broadcast_to(np.True_, (n,)),
        )  # fmt: skip

    def _struck(self, first: int, end: int) -> list[Disturbance]:
        start_ns, end_ns = first * BUCKET_NS, end * BUCKET_NS
        return [
            one for one in self._scenario.disturbances
            if one.start_ns < end_ns and start_ns < one.start_ns + one.duration_ns
        ]  # fmt: skip

    def _strength(self, one: Disturbance, first: int, end: int) -> NDArray[np.float64]:
        """(slices, buckets) how strong a disturbance is, 0 where it is not."""
        strength = np.zeros((len(self._scenario.slices), end - first))
        begins, course_of = course(one, self._scenario.buckets)
        low, high = max(begins, first), min(begins + len(course_of), end)
        hit = [place for place, piece in enumerate(self._scenario.slices) if one.strikes(piece)]
        strength[hit, low - first : high - first] = course_of[low - begins : high - begins]
        return strength

    def _errors(
        self, sizes: NDArray[np.int64], cells: NDArray[np.int64], struck: list[Disturbance], first: int, end: int
    ) -> StringColumn:
        assert self._failures is not None
        rates = np.concatenate([one.take(size) for one, size in zip(self._failing, sizes.tolist(), strict=True)])
        for one in struck:
            if one.errors > 0:
                added = (one.errors * self._strength(one, first, end)).ravel().astype(np.float32)
                rates = 1 - (1 - rates) * (1 - np.repeat(added, cells))
        codes = (self._failures.random(len(rates), dtype=np.float32) < rates).astype(np.int32)
        codes -= 1
        types = self._scenario.failures.types
        if len(types) > 1:
            failed = np.flatnonzero(codes >= 0)
            weights = np.asarray([weight for _, weight in types])
            codes[failed] = self._failures.choice(len(types), len(failed), p=weights / weights.sum())
        return StringColumn(codes, tuple(name for name, _ in types))

    def _measure(
        self,
        name: str,
        sizes: NDArray[np.int64],
        cells: NDArray[np.int64],
        struck: list[Disturbance],
        first: int,
        end: int,
    ) -> NDArray[np.float64]:
        generator = self._measures[name]
        n = int(sizes.sum())
        logs = _mixture(self._scenario.measures[name], n, generator)
        ends = np.cumsum(sizes).tolist()
        for piece, size, stop in zip(self._scenario.slices, sizes.tolist(), ends, strict=True):
            factor = (piece.measures or {}).get(name, 1.0)
            if factor != 1.0:
                logs[stop - size : stop] += np.float32(np.log(factor))
        for one in struck:
            if name in one.measures:
                added = (np.log(one.measures[name]) * self._strength(one, first, end)).ravel().astype(np.float32)
                slower = np.repeat(added, cells)
                if one.portion < 1:
                    slower *= generator.random(n, dtype=np.float32) < one.portion
                logs += slower
        values = np.exp(logs, out=logs).astype(np.float64)
        for one in struck:
            if name in one.missing:
                chance = (one.missing[name] * self._strength(one, first, end)).ravel().astype(np.float32)
                values[generator.random(n, dtype=np.float32) < np.repeat(chance, cells)] = np.nan
        return values

    def _label(self, name: str) -> tuple[NDArray[np.int32], tuple[str, ...]]:
        """(slices,) codes of a label, and its values."""
        default = {"service": self._scenario.service, "prediction": "made"}.get(name)
        column = StringColumn.of(piece.labels.get(name, default) for piece in self._scenario.slices)
        return column.codes, column.values


def _mixture(components: tuple[Component, ...], n: int, generator: np.random.Generator) -> Numbers:
    """(n,) natural logarithms of draws from a mixture of lognormals."""
    drawn = generator.standard_normal(n, dtype=np.float32)
    means = np.log([one.median for one in components]).astype(np.float32)
    sigmas = np.asarray([one.sigma for one in components], dtype=np.float32)
    if len(components) == 1:
        drawn *= sigmas[0]
        drawn += means[0]
        return drawn
    chance = generator.random(n, dtype=np.float32)
    which = np.zeros(n, dtype=np.uint8)
    for edge in np.cumsum([one.share for one in components])[:-1]:
        which += chance >= np.float32(edge)
    drawn *= sigmas[which]
    drawn += means[which]
    return drawn
