"""SLI kind ``latency``: requests whose measure of time is below a threshold; and the measures of time there are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal, Self

from detectors.slo.kinds.protocol import Remark
from detectors.slo.kinds.values import Values
from detectors.slo.shapes import DURATION, Key
from telemetry.matchers import Matchers
from telemetry.rules import Below, RollupRule
from telemetry.windows import NANOS

LatencyMeasure = Literal["duration", "ttft", "tpot", "queue", "prefill", "decode"]
LATENCY_MEASURES: Final[tuple[LatencyMeasure, ...]] = ("duration", "ttft", "tpot", "queue", "prefill", "decode")
MEASURE_KEY: Final = Key("measure", {"enum": list(LATENCY_MEASURES)}, required=True)
BELOW_KEY: Final = Key("below", DURATION, required=True)

_PLAUSIBLE_S: Final = 600.0
"""A threshold beyond ten minutes is more likely milliseconds written without their unit."""
_MEASURABLE_S: Final = 0.0001


@dataclass(frozen=True, slots=True)
class Latency:
    """Good: ``measure`` is strictly below ``below_s`` seconds."""

    kind: ClassVar[str] = "latency"
    keys: ClassVar[tuple[Key, ...]] = (MEASURE_KEY, BELOW_KEY)
    slice_ns: ClassVar[None] = None
    measure: LatencyMeasure
    below_s: float

    @classmethod
    def read(cls, values: Values) -> Self | None:
        """The SLI as written."""
        measure = values.choice("measure", LATENCY_MEASURES)
        below_ns = values.duration_ns("below")
        return None if measure is None or below_ns is None else cls(measure, below_ns / NANOS)

    def rules(self, rule: str, where: Matchers, per: tuple[str, ...]) -> tuple[RollupRule, ...]:
        """The requests that have the measure."""
        return (RollupRule(rule, where, per, Below(self.measure, self.below_s)),)

    def slices(self, rule: str) -> None:
        """None: it counts events."""

    def complaint(self, share: str, whose: str) -> str:
        """What is wrong, in words."""
        return f"{share} requests{whose} have a {self.measure} of {self.below_s:g} s or more"

    def facts(self) -> dict[str, Any]:
        """What defines it."""
        return {"measure": self.measure, "below": self.below_s, "unit": "s"}

    def lint(self, error_budget: float) -> Iterator[Remark]:  # noqa: ARG002  # part of the protocol
        """Thresholds that are hardly meant."""
        return threshold_remarks(self.measure, self.below_s)


def threshold_remarks(measure: LatencyMeasure, below_s: float) -> Iterator[Remark]:
    """What lint says about a threshold in seconds."""
    if below_s > _PLAUSIBLE_S:
        remedy = f"did you mean {below_s:g}ms? A bare number is seconds."
        yield Remark("below", "warning", f"{below_s:g} s is a long time for {measure}", remedy)
    elif below_s < _MEASURABLE_S:
        yield Remark("below", "warning", f"{below_s:g} s is hardly measurable", "check the unit")
