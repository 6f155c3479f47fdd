"""Why requests are slow: warm-up, a queue, a release, other inputs, a spike in the tail, or everything.

In this order, since each would also pass for the later ones:

1. cold-start: at least half of the excess slow requests are warm-up or come from instances in their first two minutes,
   and such requests are slow at least twice as often as others.
2. bad-release: the excess sits in a version that arrived, or began with one that took over.
3. queue-saturation: the queue carries at least half of the rise of the p99 and is longer for everybody (its third
   quartile), or the queue itself is what is measured.
4. input-drift: at least half of the rise disappears at the earlier input lengths, and these have drifted.
5. tail-spike or slow-service: within the slice that carries the excess, whether the median moved by a fifth.

The thresholds are conventions, not tests: evidence that there is an excess comes from the attribution and the alert.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.attribution import Attribution, attribute
from detectors.diagnosis.releases import release_of, releases
from detectors.diagnosis.situation import (
    Situation,
    Verdict,
    described,
    has_values,
    matching,
    percent,
    worst_first,
)
from detectors.diagnosis.warm_up import warming
from detectors.drift import compare
from detectors.drift.distributions import distributions
from detectors.tail import TailDecomposition, decompose
from telemetry.columns import Columns
from telemetry.rules import Below, GoodWhen

MOSTLY: Final = 0.5
"""Share of an excess or a rise from which a cause is said to carry it."""
TWICE: Final = 2.0
QUEUE_GREW: Final = 1.5
"""Growth of the queue's third quartile from which the queue is longer for everybody."""
BODY_MOVED: Final = 1.2
"""Growth of the median from which the whole distribution has shifted."""
SMALL_SHARE: Final = 0.25
"""Share of slow requests up to which it is a tail that is slow."""
STRATUM: Final = 20


def diagnose_latency(situation: Situation) -> Verdict:
    """Find the cause of slow requests."""
    good = situation.good if isinstance(situation.good, Below) else _beyond_baseline(situation)
    if good is None:
        return Verdict("unknown", "there is no baseline to compare the slow requests with", slice=situation.scope)
    found = attribute(situation.before, situation.after, good)
    tail = decompose(situation.before, situation.after, measure=good.measure)
    return (
        _cold_start(situation, good, found, tail)
        or _release(situation, good, found, tail)
        or _queue(situation, good, found, tail)
        or _inputs(situation, good, found, tail)
        or _shape(situation, good, found, tail)
    )


def queue_growth(situation: Situation) -> float:
    """Growth of the queue's third quartile; 1 when no queue is reported."""
    quartiles = []
    for columns in (situation.before, situation.after):
        values = columns.number("queue")
        values = values[np.isfinite(values)]
        quartiles.append(float(np.quantile(values, 0.75)) if len(values) >= STRATUM else float("nan"))
    if not np.isfinite(quartiles).all():
        return 1.0
    return quartiles[1] / max(quartiles[0], 1e-3)


def body_growth(before: Columns, after: Columns, measure: str) -> float:
    """Growth of the median, as the geometric mean over operations and input types weighted by later traffic.

    Strata keep a change of the mix from passing for a change of speed; 1 when no stratum has enough on both sides.
    """
    total, weight = 0.0, 0
    strata = sorted({*_strata(after)})
    codes = [np.asarray(_strata(columns), dtype=object) for columns in (before, after)]
    for stratum in strata:
        sides = [
            columns.number(measure)[(code == stratum) & np.isfinite(columns.number(measure))]
            for columns, code in zip((before, after), codes, strict=True)
        ]
        if min(len(side) for side in sides) < STRATUM:
            continue
        was, now = (float(np.median(side)) for side in sides)
        if was > 0 and now > 0:
            total += float(np.log(now / was)) * len(sides[1])
            weight += len(sides[1])
    return float(np.exp(total / weight)) if weight else 1.0


def _strata(columns: Columns) -> list[str]:
    names = zip(columns.string("operation").tolist(), columns.string("input_type").tolist(), strict=True)
    return ["\x1f".join(pair) for pair in names]


def _beyond_baseline(situation: Situation) -> Below | None:
    """Slow, where the SLI has no threshold for single requests: beyond the p99 of the baseline."""
    measure = situation.measure or "duration"
    values = situation.before.number(measure)
    values = values[np.isfinite(values)]
    return Below(measure, float(np.quantile(values, 0.99))) if len(values) else None


def _slow(columns: Columns, good: GoodWhen) -> NDArray[np.bool_]:
    valid, fine = good.masks(columns)
    return valid & ~fine


def _worst(situation: Situation, good: Below, labels: dict[str, str]) -> NDArray[np.intp]:
    rows = _slow(situation.after, good) & matching(situation.after, labels)
    return worst_first(situation.after.number(good.measure), rows)


def _cold_start(situation: Situation, good: Below, found: Attribution, tail: TailDecomposition) -> Verdict | None:
    warm = warming(situation.before, situation.after)
    slow, valid = _slow(situation.after, good), good.masks(situation.after)[0]
    if not found.risen or not (warm & valid).any():
        return None
    share = min(float((slow & warm).sum()) / found.excess, 1.0)
    rate = float((slow & warm).sum()) / float((warm & valid).sum())
    others = float((slow & ~warm).sum()) / max(float((valid & ~warm).sum()), 1.0)
    if share < MOSTLY or rate < TWICE * others:
        return None
    summary = (
        f"{percent(share)} of the excess slow requests were served while an instance warmed up: {percent(rate)} of "
        f"those are slow, {percent(others)} of the others"
    )
    labels = {name: value for name, value in found.labels.items() if name == "instance"} or situation.scope
    evidence = {"attribution": found.evidence(), "tail": tail.evidence()}
    return Verdict(
        "cold-start", summary, share, labels, evidence, worst_first(situation.after.number(good.measure), slow & warm)
    )


def _release(situation: Situation, good: Below, found: Attribution, tail: TailDecomposition) -> Verdict | None:
    arrived = releases(situation.before, situation.after)
    labels = found.labels
    release = release_of(labels, arrived)
    if release is None and not labels and found.risen:
        release = next((item for item in arrived if item.new and item.dominant), None)
    if release is None:
        return None
    labels = {**labels, "model_version": release.version}
    evidence = {"attribution": found.evidence(), "tail": tail.evidence()}
    summary = f"{_counts(found, labels, good)}; {release.text(situation.onset_ns)}"
    share = found.explained if found.explanation else None
    return Verdict("bad-release", summary, share, labels, evidence, _worst(situation, good, labels))


def _queue(situation: Situation, good: Below, found: Attribution, tail: TailDecomposition) -> Verdict | None:
    if good.measure == "queue":
        if not found.risen:
            return None
        share = 1.0
    else:
        share = min(tail.share("queue"), 1.0)
        if share < MOSTLY or queue_growth(situation) < QUEUE_GREW:
            return None
    waits = [float(np.nanquantile(side.number("queue"), 0.5)) for side in (situation.before, situation.after)
             if has_values(side, "queue")]  # fmt: skip
    labels = _queued(situation, good, found)
    where = f" for {described(labels)}" if labels else ""
    middle = f": the median wait went from {waits[0]:.3g} s to {waits[1]:.3g} s" if len(waits) == 2 else ""
    carried = f"the queue carries {percent(share)} of the rise" if good.measure != "queue" else "requests wait longer"
    evidence = {"attribution": found.evidence(), "tail": tail.evidence()}
    return Verdict(
        "queue-saturation", f"{carried}{where}{middle}", share, labels, evidence, _worst(situation, good, {})
    )


def _queued(situation: Situation, good: Below, found: Attribution) -> dict[str, str]:
    """The slice whose queue grew, which is not the slice whose threshold was nearest."""
    if good.measure == "queue":
        return found.labels or situation.scope
    queue = _beyond_baseline(Situation(situation.kind, situation.before, situation.after, measure="queue"))
    waited = attribute(situation.before, situation.after, queue) if queue else found
    return waited.labels or situation.scope


def _inputs(situation: Situation, good: Below, found: Attribution, tail: TailDecomposition) -> Verdict | None:
    share = tail.share("input length")
    if share < MOSTLY:
        return None
    sides = (distributions(columns, ["tokens_in"]) for columns in (situation.before, situation.after))
    result = compare(*sides)
    if not result.drifted:
        return None
    summary = f"inputs are longer: at the earlier lengths, {percent(share)} of the rise of the p99 would not be there"
    evidence = {"attribution": found.evidence(), "tail": tail.evidence(), "drift": result.evidence()}
    labels = situation.scope
    return Verdict("input-drift", summary, share, labels, evidence, _worst(situation, good, {}))


def _shape(situation: Situation, good: Below, found: Attribution, tail: TailDecomposition) -> Verdict:
    labels = found.labels
    before, after = situation.before, situation.after
    inside = before.take(matching(before, labels)), after.take(matching(after, labels))
    growth = body_growth(*inside, good.measure)
    evidence = {"attribution": found.evidence(), "tail": tail.evidence()}
    if not found.risen:
        return Verdict("unknown", f"{found.bad} of {found.total} requests are slow, no more than before", None,
                       situation.scope, evidence, _worst(situation, good, labels))  # fmt: skip
    slow = _slow(inside[1], good)
    share = float(slow.sum()) / max(float(good.masks(inside[1])[0].sum()), 1.0)
    if growth < BODY_MOVED and share <= SMALL_SHARE:
        summary = f"{_counts(found, labels, good)}; the median is unchanged (x{growth:.2f})"
        confidence = found.explained if found.explanation else None
        return Verdict("tail-spike", summary, confidence, labels or situation.scope, evidence,
                       _worst(situation, good, labels))  # fmt: skip
    if labels:
        outside = before.take(~matching(before, labels)), after.take(~matching(after, labels))
        # Where the rest is slower too, the slice is merely the part that was nearest to the threshold.
        labels = {} if body_growth(*outside, good.measure) >= BODY_MOVED else labels
    summary = f"{_counts(found, labels, good)}; the median is {growth:.2f} times what it was"
    return Verdict("slow-service", summary, found.explained if labels else None, labels or situation.scope, evidence,
                   _worst(situation, good, labels))  # fmt: skip


def _counts(found: Attribution, labels: dict[str, str], good: Below) -> str:
    named = found.explanation if labels and found.explanation else ()
    bad = sum(item.bad for item in named) or found.bad
    total = sum(item.total for item in named) or found.total
    expected = sum(item.expected for item in named) if named else found.expected
    where = f" with {described(labels)}" if labels else ""
    return (
        f"{bad} of {total} requests{where} have a {good.measure} of {good.threshold:.3g} s or more, "
        f"{expected:.0f} were expected"
    )
