"""SLI kind ``quantile``: slices of time in which a quantile of a measure of time is below a threshold."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

from detectors.slo.distribution_slices import Distributions, SliceBook, records
from detectors.slo.kinds.latency import (
    BELOW_KEY,
    LATENCY_MEASURES,
    MEASURE_KEY,
    LatencyMeasure,
    threshold_remarks,
)
from detectors.slo.kinds.protocol import Remark
from detectors.slo.kinds.values import MIN_EVENTS_KEY, SLICE_KEY, Values
from detectors.slo.nodes import kind_of
from detectors.slo.shapes import PERCENT_PATTERN, Key, Schema
from detectors.slo.slices import Verdict
from telemetry.matchers import Matchers
from telemetry.rules import Present, RollupRule
from telemetry.sketches import DDSketch
from telemetry.windows import NANOS, format_duration

_PATTERN: Final = r"^p(\d{1,2}(?:\.\d+)?)$"
_QUANTILE: Final[Schema] = {
    "anyOf": [
        {"type": "string", "pattern": _PATTERN},
        {"type": "string", "pattern": PERCENT_PATTERN},
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    ],
    "description": "p50, p99, p99.9",
}


@dataclass(frozen=True, slots=True)
class Quantile:
    """Good: a slice of time in which quantile ``q`` of ``measure`` is below ``below_s`` seconds.

    The quantile is read from a sketch, within 1 %. A slice with fewer than ``min_events`` events says nothing: it is
    neither good nor bad.
    """

    kind: ClassVar[str] = "quantile"
    keys: ClassVar[tuple[Key, ...]] = (
        MEASURE_KEY, Key("quantile", _QUANTILE, required=True), BELOW_KEY, SLICE_KEY, MIN_EVENTS_KEY,
    )  # fmt: skip
    reference: ClassVar[None] = None
    measure: LatencyMeasure
    q: float
    below_s: float
    slice_ns: int
    min_events: int

    @classmethod
    def read(cls, values: Values) -> Self | None:
        """The SLI as written; unless ``min_events`` is given, one event is expected beyond the quantile."""
        measure = values.choice("measure", LATENCY_MEASURES)
        q = _read_q(values)
        below_ns = values.duration_ns("below")
        slice_ns = values.slice_ns()
        least = values.count("min_events", None if q is None else math.ceil(_reaching(q)))
        if measure is None or q is None or below_ns is None or least is None:
            return None
        return cls(measure, q, below_ns / NANOS, slice_ns, least)

    def rules(self, rule: str, where: Matchers, per: tuple[str, ...]) -> tuple[RollupRule, ...]:
        """The distribution of the measure."""
        return (RollupRule(rule, where, per, Present((self.measure,)), (self.measure,)),)

    def slices(self, rule: str) -> SliceBook:
        """A new book of its slices."""
        return SliceBook(self, rule)

    def judge(self, current: Distributions, reference: Distributions) -> Verdict:  # noqa: ARG002  # there is none
        """The verdict over one slice."""
        sketch = current.get(self.measure)
        n = records(sketch)
        if not isinstance(sketch, DDSketch) or n < self.min_events:
            return Verdict(None, {"events": n, "min_events": self.min_events})
        value = sketch.quantile(self.q)
        return Verdict(value < self.below_s, {"events": n, f"p{100 * self.q:g}": value})

    def complaint(self, share: str, whose: str) -> str:
        """What is wrong, in words."""
        slices = f"{share} slices of {format_duration(self.slice_ns)}"
        return f"p{100 * self.q:g} of {self.measure}{whose} is {self.below_s:g} s or more in {slices}"

    def facts(self) -> dict[str, Any]:
        """What defines it."""
        slice_s = self.slice_ns / NANOS
        return {"measure": self.measure, "quantile": self.q, "below": self.below_s, "unit": "s", "slice_s": slice_s}

    def lint(self, error_budget: float) -> Iterator[Remark]:  # noqa: ARG002  # part of the protocol
        """Thresholds that are hardly meant, and slices too small for the quantile."""
        yield from threshold_remarks(self.measure, self.below_s)
        if self.min_events < _reaching(self.q):
            message = f"{self.min_events} events do not reach into the tail beyond quantile {self.q:g}"
            yield Remark("min_events", "warning", message, f"use at least {_reaching(self.q):.0f}")


def _reaching(q: float) -> float:
    """Events of which one is expected beyond the quantile."""
    return round(1 / (1 - q), 6)


def _read_q(values: Values) -> float | None:
    node = values.nodes.get("quantile")
    found = re.match(_PATTERN, str(node.value)) if node is not None and kind_of(node) == "str" else None
    if found is None:
        return values.share("quantile", "p99")
    q = round(float(found[1]) / 100, 12)
    if 0 < q < 1:
        return q
    values.note("quantile", f"p{found[1]} is not a quantile between 0 and 1", "write p50, p95, p99 or p99.9")
    return None
