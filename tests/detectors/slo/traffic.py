"""Synthetic traffic for the engine's tests: deltas a second at a time, in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from detectors.slo.compile import rule_id
from detectors.slo.engine import Engine, Evaluation
from detectors.slo.parse import parse_slos
from detectors.slo.spec import SloSet
from telemetry.deltas import SliDelta, group_key
from telemetry.windows import NANOS, bucket_start

T0 = 1_700_006_400 * NANOS


def slos_of(body: str) -> SloSet:
    """SLOs from the entries of a file, one flow mapping a line."""
    lines = "".join(f"  - {line}\n" for line in body.strip().splitlines())
    return parse_slos([("slos.yaml", f"version: 1\nslos:\n{lines}")])


def errors_slo(objective: str = "99.5%", more: str = "") -> SloSet:
    """One errors SLO per input type."""
    fixed = "name: request-errors, service: chat, sli: {errors: {}}, per: [input_type]"
    return slos_of(f"{{{fixed}, objective: {objective}{more}}}")


def row(slos: SloSet, time_ns: int, bad: int, total: int, input_type: str = "code") -> SliDelta:
    """``bad`` of ``total`` events of the first SLO."""
    group = group_key({"input_type": input_type}) if slos.slos[0].per else "{}"
    return SliDelta(rule_id(slos.slos[0]), group, bucket_start(time_ns), total - bad, total)


def play(
    engine: Engine, seconds: range, counts: Callable[[int], tuple[int, int]], every_s: int = 1
) -> Iterator[tuple[int, Evaluation]]:
    """Feed (bad, total) of each second, step, and yield (second, evaluation) every ``every_s`` seconds."""
    for second in seconds:
        bad, total = counts(second)
        now_ns = T0 + second * NANOS
        if total:
            engine.ingest_sli([row(engine.slos, now_ns, bad, total)])
        if second % every_s == 0:
            yield second, engine.step(now_ns)
