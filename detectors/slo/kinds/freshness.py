"""SLI kind ``freshness``: slices of time in which telemetry arrived, on time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

from detectors.slo.arrivals import ArrivalSlices
from detectors.slo.kinds.protocol import Remark
from detectors.slo.kinds.values import SLICE_KEY, Values
from detectors.slo.shapes import DURATION, TEXT, Key
from detectors.slo.slices import LATE_NS
from telemetry.matchers import Matchers
from telemetry.metric_names import KNOWN_METRICS
from telemetry.rules import OnTime, RollupRule
from telemetry.windows import NANOS, format_duration, parse_duration

_DEFAULT_DELAY: Final = "30s"
_EXPORTED_EVERY_NS: Final = parse_duration("5s")
"""The delay of an OpenTelemetry batch exporter."""
_LEAST_LIMIT_NS: Final = parse_duration("1m")
"""A delay that even the longest slices can have."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """Good: a slice of time of which calls arrived, most within ``max_delay_ns``; or none but a ``heartbeat``.

    A slice of which nothing arrived is bad, from a group's first call on.

    Attributes:
        slice_ns: length of a slice.
        max_delay_ns: how long after its time a call may come in.
        heartbeat: a gauge that the service sends when it is idle, too; None when silence is never idleness.
    """

    kind: ClassVar[str] = "freshness"
    keys: ClassVar[tuple[Key, ...]] = (
        SLICE_KEY, Key("max_delay", {**DURATION, "default": _DEFAULT_DELAY}), Key("heartbeat", TEXT),
    )  # fmt: skip
    slice_ns: int
    max_delay_ns: int
    heartbeat: str | None

    @classmethod
    def read(cls, values: Values) -> Self | None:
        """The SLI as written."""
        slice_ns = values.slice_ns()
        delay_ns = values.duration_ns("max_delay", parse_duration(_DEFAULT_DELAY))
        heartbeat = values.text("heartbeat")
        if delay_ns is None:
            return None
        most_ns = max(LATE_NS - slice_ns, _LEAST_LIMIT_NS)
        if delay_ns > most_ns:
            judged = f"a slice of {format_duration(slice_ns)} would be judged when it is too old for any alert"
            remedy = f"write at most {format_duration(most_ns)}: together with slice at most {format_duration(LATE_NS)}"
            values.note("max_delay", f"{format_duration(delay_ns)} is too long: {judged}", remedy)
        return cls(slice_ns, delay_ns, heartbeat)

    def rules(self, rule: str, where: Matchers, per: tuple[str, ...]) -> tuple[RollupRule, ...]:
        """The calls, good ones being those that came in on time."""
        return (RollupRule(rule, where, per, OnTime(self.max_delay_ns)),)

    def slices(self, rule: str) -> ArrivalSlices:
        """A new book of its slices."""
        names = frozenset() if self.heartbeat is None else frozenset({self.heartbeat})
        return ArrivalSlices(rule, self.slice_ns, self.max_delay_ns, names)

    def complaint(self, share: str, whose: str) -> str:
        """What is wrong, in words."""
        return f"telemetry{whose} is missing or late in {share} slices of {format_duration(self.slice_ns)}"

    def facts(self) -> dict[str, Any]:
        """What defines it."""
        facts = {"max_delay": self.max_delay_ns / NANOS, "unit": "s", "slice_s": self.slice_ns / NANOS}
        return facts if self.heartbeat is None else {**facts, "heartbeat": self.heartbeat}

    def lint(self, error_budget: float) -> Iterator[Remark]:  # noqa: ARG002  # part of the protocol
        """Delays that every exporter has, and heartbeats that are no gauge."""
        if self.max_delay_ns <= _EXPORTED_EVERY_NS:
            message = f"exporters gather spans for 5 s: most come later than {format_duration(self.max_delay_ns)}"
            yield Remark("max_delay", "warning", message, "write 30s")
        known = KNOWN_METRICS.get(self.heartbeat or "")
        if known is not None and known.kind != "gauge":
            remedy = "name a gauge, such as tailwatch.queue.depth"
            yield Remark("heartbeat", "error", f"{known.name} is a {known.kind} and no gauge", remedy)
