"""Steady streams with stretches of errors, played to the engine and written as promtool's unit tests.

Both see the same cumulative counts at the same times: a sample at t holds the events before t, which is what the
engine's buckets hold when it steps at t.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

from detectors.slo.engine import Engine
from detectors.slo.export.names import GOOD_EVENTS, VALID_EVENTS
from detectors.slo.spec import SloSet
from telemetry.windows import NANOS, format_duration
from tests.detectors.slo.traffic import T0, row, slos_of

SLOS: SloSet = slos_of(
    "{name: availability, service: chat, sli: {errors: {}}, objective: 99.9%, window: 30d,"
    " alert: {policy: page-and-ticket, gate: off, sequential: off}}"
)
"""The workbook's SLO, under the plain rule: PromQL has no gate."""
EVENTS_PER_S = 1000


def with_pairs(windows: tuple[str, ...]) -> SloSet:
    """The SLO with the pairs of these long windows only, and a period no longer: more would only cost time.

    Factors are those of 30 days all the same, so nothing that is compared depends on the period.
    """
    (slo,) = SLOS.slos
    pairs = tuple(pair for pair in slo.policy.pairs if format_duration(pair.long_ns) in windows)
    assert len(pairs) == len(windows)
    longest_ns = max(pair.long_ns for pair in pairs)
    return SloSet((replace(slo, window_ns=longest_ns, policy=replace(slo.policy, pairs=pairs)),))


@dataclass(frozen=True)
class Scenario:
    """``clean_s`` seconds without an error, ``bad_s`` with ``share`` of errors, then ``after_s`` without.

    ``detected_s``: the workbook's time from the onset until the pair of a long window fires; None for never.
    ``reset_s``: from the end of the errors until it no longer does. ``windows`` are those that are compared.
    """

    name: str
    windows: tuple[str, ...]
    step_s: int
    clean_s: int
    share: float
    bad_s: int
    after_s: int = 0
    detected_s: dict[str, float | None] = field(default_factory=dict)
    reset_s: dict[str, float] = field(default_factory=dict)

    @property
    def end_s(self) -> int:
        return self.clean_s + self.bad_s + self.after_s

    def bad_in(self, start_s: int) -> int:
        """Bad events of the step that begins at ``start_s``."""
        inside = self.clean_s <= start_s < self.clean_s + self.bad_s
        return round(self.share * EVENTS_PER_S * self.step_s) if inside else 0

    @cached_property
    def engine_firing(self) -> dict[int, frozenset[str]]:
        """Which long windows' alerts the engine says hold, at every step from shortly before the onset."""
        slos = with_pairs(self.windows)
        engine = Engine(slos)
        first_s = self.clean_s - 5 * self.step_s
        firing = {}
        for now_s in range(0, self.end_s + 1, self.step_s):
            if now_s:
                begun_s = now_s - self.step_s
                total = EVENTS_PER_S * self.step_s
                engine.ingest_sli([row(slos, T0 + begun_s * NANOS, self.bad_in(begun_s), total)])
            if now_s >= first_s:
                findings = engine.step(T0 + now_s * NANOS).findings
                firing[now_s] = frozenset(finding.labels["window"] for finding in findings)
        return firing

    def turns(self, window: str) -> Iterator[tuple[int, bool]]:
        """When (seconds) the engine's alert of ``window`` began or ceased to hold."""
        before = False
        for now_s, firing in self.engine_firing.items():
            if (window in firing) != before:
                before = not before
                yield now_s, before

    def certain(self, at_s: int) -> list[str]:
        """The windows whose alerts the engine does not turn within one step of ``at_s``."""
        near = [self.engine_firing[at_s + offset] for offset in (-self.step_s, 0, self.step_s)]
        return [window for window in self.windows if len({window in firing for firing in near}) == 1]

    def checks(self) -> list[int]:
        """Times to compare at: around every turn as near as the tolerance lets, and in the middle between them."""
        turns = sorted(now_s for window in self.windows for now_s, _ in self.turns(window))
        borders = [self.clean_s, *turns, self.end_s]
        around = {turn + offset * self.step_s for turn in turns for offset in (-2, 1)}
        middles = {(low + high) // (2 * self.step_s) * self.step_s for low, high in pairwise(borders)}
        return sorted(
            at_s
            for at_s in around | middles
            if at_s + self.step_s <= self.end_s and at_s - self.step_s in self.engine_firing
        )

    def promtool_test(self) -> dict[str, Any]:
        """The scenario as an entry of a promtool test file."""
        return {
            "name": self.name,
            "interval": f"{self.step_s}s",
            "input_series": [
                {"series": f'{GOOD_EVENTS}{{slo="availability",service="chat"}}', "values": self._course(good=True)},
                {"series": f'{VALID_EVENTS}{{slo="availability",service="chat"}}', "values": self._course(good=False)},
            ],
            "promql_expr_test": [self._check(at_s) for at_s in self.checks()],
        }

    def _course(self, *, good: bool) -> str:
        """Cumulative counts in promtool's notation: ``first+growth x further``."""
        parts, value = ["0"], 0
        for length_s, start_s in (
            (self.clean_s, 0), (self.bad_s, self.clean_s), (self.after_s, self.clean_s + self.bad_s),
        ):  # fmt: skip
            growth = EVENTS_PER_S * self.step_s - (self.bad_in(start_s) if good else 0)
            steps = length_s // self.step_s
            if steps:
                parts.append(f"{value + growth}+{growth}x{steps - 1}")
                value += growth * steps
        return " ".join(parts)

    def _check(self, at_s: int) -> dict[str, Any]:
        certain = self.certain(at_s)
        firing = [window for window in certain if window in self.engine_firing[at_s]]
        wanted = f'alertstate="firing",slo="availability",window=~"{"|".join(certain)}"'
        return {
            "expr": f"count by (window) (ALERTS{{{wanted}}})",
            "eval_time": f"{at_s}s",
            "exp_samples": [{"labels": f'{{window="{window}"}}', "value": 1} for window in firing],
        }
