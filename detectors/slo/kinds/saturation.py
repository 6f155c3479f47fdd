"""SLI kind ``saturation``: slices of time in which a gauge is below a bound."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

from detectors.slo.gauge_slices import AGGREGATES, Aggregate, GaugeSlices
from detectors.slo.kinds.protocol import Remark
from detectors.slo.kinds.values import SLICE_KEY, Values
from detectors.slo.nodes import nearest
from detectors.slo.shapes import POSITIVE, TEXT, Key
from telemetry.matchers import Matchers
from telemetry.metric_names import GAUGE_ROLES, KNOWN_METRICS
from telemetry.rules import RollupRule
from telemetry.windows import NANOS, format_duration

_SHARES: Final = ("kv_cache_usage", "gpu_utilisation")
"""Roles whose gauges of unit 1 end at 1."""


@dataclass(frozen=True, slots=True)
class Saturation:
    """Good: a slice of time in which the gauge is below ``below``, in every series of the group.

    Attributes:
        gauge: name of a metric, or a role (``queue_depth``) that stands for all the well-known gauges which have it.
        below: the bound, in the unit of the metric.
        slice_ns: length of a slice.
        aggregate: what a series' values within a slice are taken for.
    """

    kind: ClassVar[str] = "saturation"
    keys: ClassVar[tuple[Key, ...]] = (
        Key("gauge", TEXT, required=True),
        Key("below", POSITIVE, required=True),
        SLICE_KEY,
        Key("aggregate", {"enum": list(AGGREGATES), "default": "max"}),
    )
    gauge: str
    below: float
    slice_ns: int
    aggregate: Aggregate

    @classmethod
    def read(cls, values: Values) -> Self | None:
        """The SLI as written."""
        gauge = values.text("gauge")
        below = values.number("below")
        slice_ns = values.slice_ns()
        aggregate = values.choice("aggregate", list(AGGREGATES), "max")
        if gauge is None or below is None or aggregate is None:
            return None
        return cls(gauge, below, slice_ns, aggregate)

    @property
    def names(self) -> frozenset[str]:
        """The metrics that it reads."""
        return GAUGE_ROLES.get(self.gauge, frozenset({self.gauge}))

    def rules(self, rule: str, where: Matchers, per: tuple[str, ...]) -> tuple[RollupRule, ...]:  # noqa: ARG002
        """None: gauges are stored as they come, and read from there."""
        return ()

    def slices(self, rule: str) -> GaugeSlices:
        """A new book of its slices."""
        return GaugeSlices(rule, self.slice_ns, self.names, self.aggregate, self.below)

    def complaint(self, share: str, whose: str) -> str:
        """What is wrong, in words."""
        slices = f"{share} slices of {format_duration(self.slice_ns)}"
        return f"{self.aggregate} of {self.gauge}{whose} is {self.below:g} or more in {slices}"

    def facts(self) -> dict[str, Any]:
        """What defines it."""
        unit = next((KNOWN_METRICS[name].unit for name in sorted(self.names) if name in KNOWN_METRICS), None)
        return {
            "gauge": self.gauge, "aggregate": self.aggregate, "below": self.below, "unit": unit,
            "slice_s": self.slice_ns / NANOS,
        }  # fmt: skip

    def lint(self, error_budget: float) -> Iterator[Remark]:  # noqa: ARG002  # part of the protocol
        """Metrics that are no gauges, names that are nearly known ones, and bounds that a share cannot reach."""
        known = [KNOWN_METRICS[name] for name in self.names if name in KNOWN_METRICS]
        for one in known:
            if one.kind != "gauge":
                yield Remark("gauge", "error", f"{one.name} is a {one.kind} and no gauge", "name a gauge")
            elif one.unit == "1" and one.role in _SHARES and self.below > 1:
                message = f"{one.name} is a share from 0 to 1 and always below {self.below:g}"
                yield Remark("below", "error", message, f"did you mean {self.below / 100:g}?")
        found = None if known else nearest(self.gauge, [*KNOWN_METRICS, *GAUGE_ROLES])
        if found:
            remedy = f"did you mean {found}?"
            yield Remark("gauge", "warning", f"{self.gauge} is no metric that Tailwatch knows", remedy)
