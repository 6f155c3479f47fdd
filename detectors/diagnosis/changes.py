"""What else changed at the onset: versions, mix, sizes, cache, throughput; it does not say that any of it is to blame.

A change is listed when there is evidence for it and it is large enough to matter, by the drift comparison
(:mod:`detectors.drift.compare`): p at 0.001 over all fields together, and an effect of at least 0.15. Throughput is
listed when it changed by half; counts of arrivals are too bursty for a Poisson test to mean anything.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from detectors.diagnosis.releases import releases
from detectors.drift import FieldDrift, compare
from detectors.drift.distributions import distributions
from telemetry.columns import Columns
from telemetry.windows import NANOS

MIXES: Final = (
    "input_type",
    "operation",
    "model",
    "tenant",
    "region",
    "provider",
    "instance",
    "cache_hit",
    "error_type",
)
SIZES: Final = {
    "batch_size": "batch size", "tokens_in": "input tokens", "tokens_out": "output tokens",
    "tokens_cached": "cached tokens", "tokens_reasoning": "reasoning tokens",
}  # fmt: skip
ALPHA: Final = 0.001
MIN_EFFECT: Final = 0.15
THROUGHPUT: Final = 1.5
FEWEST: Final = 30


def changes(before: Columns, after: Columns, onset_ns: int | None) -> list[dict[str, Any]]:
    """The changes as a JSON document: ``what``, ``before``, ``after``, ``text``; releases first."""
    found: list[dict[str, Any]] = [
        {
            "what": "model_version", "before": item.replaced, "after": item.version, "text": item.text(onset_ns),
            "share_before": item.before, "share_after": item.after,
        }
        for item in releases(before, after)
    ]  # fmt: skip
    fields = (*MIXES, *SIZES)
    result = compare(distributions(before, fields), distributions(after, fields), alpha=ALPHA, min_effect=MIN_EFFECT)
    drifted = [item for item in result.fields if item.drifted]
    found.extend(_size(item) if item.field in SIZES else _mix(item.field, before, after) for item in drifted)
    throughput = _throughput(before, after)
    return [*found, throughput] if throughput else found


def _size(item: FieldDrift) -> dict[str, Any]:
    was, now = item.measures["mean_reference"], item.measures["mean_current"]
    text = f"{SIZES[item.field]} a request went from {was:.3g} to {now:.3g} on average"
    return {"what": item.field, "before": was, "after": now, "text": text}


def _mix(name: str, before: Columns, after: Columns) -> dict[str, Any]:
    shares = []
    for columns in (before, after):
        counts = distributions(columns, [name])[name]
        total = sum(counts.values()) if isinstance(counts, dict) else 0
        shares.append({value: n / total for value, n in counts.items()} if isinstance(counts, dict) else {})
    moved = max(shares[0].keys() | shares[1].keys(), key=lambda v: (abs(shares[1].get(v, 0) - shares[0].get(v, 0)), v))
    was, now = shares[0].get(moved, 0.0), shares[1].get(moved, 0.0)
    text = f"{name} {moved} went from {100 * was:.0f} % to {100 * now:.0f} % of the requests that have one"
    return {"what": name, "value": moved, "before": was, "after": now, "text": text}


def _throughput(before: Columns, after: Columns) -> dict[str, Any] | None:
    rates = [_rate(columns) for columns in (before, after)]
    if rates[0] is None or rates[1] is None or 1 / THROUGHPUT < rates[1] / rates[0] < THROUGHPUT:
        return None
    text = f"requests a second went from {rates[0]:.3g} to {rates[1]:.3g}"
    return {"what": "throughput", "before": rates[0], "after": rates[1], "text": text}


def _rate(columns: Columns) -> float | None:
    """Requests a second, over the middle 98 % of starts so that a straggler does not stretch the window."""
    if len(columns) < FEWEST:
        return None
    low, high = np.quantile(columns.start_ns.astype(np.float64), (0.01, 0.99))
    return 0.98 * len(columns) * NANOS / (high - low) if high > low else None
