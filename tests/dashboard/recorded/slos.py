"""SLOs as the API gives them: exhausted by one slice, burning, silent, quiet and fine."""

from __future__ import annotations

import math
import random
from typing import Any

from tests.dashboard.recorded.moment import NOW

WINDOW_S = 30 * 86400.0


def group(
    state: str, remaining: float | None, burn: float | None, labels: dict[str, str], **more: Any
) -> dict[str, Any]:
    """One budget with plausible counts."""
    total = 0 if burn is None else more.pop("total", 48_210)
    sli = None if remaining is None else more.pop("sli", 0.998)
    return {
        "group": labels,
        "state": state,
        "good": round(total * (sli or 0)),
        "total": total,
        "sli": sli,
        "budget_remaining": remaining,
        "burn": {
            window: None if burn is None else round(burn * share, 4)
            for window, share in {
                "5m": 1.1,
                "30m": 1.05,
                "1h": 1.0,
                "2h": 0.9,
                "6h": 0.62,
                "24h": 0.3,
                "3d": 0.2,
            }.items()
        },
        "alerts": more.pop("alerts", []),
        "detail": more.pop("detail", {}),
    }


def slo(name: str, kind: str, objective: float, groups: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """One SLO."""
    return {
        "name": name,
        "service": "reference-inference",
        "owner": "inference-team",
        "description": None,
        "kind": kind,
        "objective": objective,
        "window_s": WINDOW_S,
        "revision": 3,
        "runbook": None,
        "where": [],
        "per": [],
        "groups": groups,
        **more,
    }


def slos() -> list[dict[str, Any]]:
    """Seven SLOs in the order in which the service knows them, which is not the order of urgency."""
    page = [{"name": "burn-1h", "severity": "page", "since": NOW - 1260}]
    latency = {"measure": "duration", "below": 1.0}
    return [
        slo("generation-cost", "cost", 0.99, [group("ok", 0.91, 0.3, {}, sli=0.9991)], where=['operation="chat"']),
        slo(
            "classify-latency",
            "latency",
            0.999,
            [group("burning", 0.18, 7.9, {}, sli=0.99918, detail=latency, alerts=page)],
            where=['operation="classify"'],
            description="Topic classification answers within a second",
        ),
        slo(
            "generation-ttft",
            "latency",
            0.99,
            [group("ok", 0.72, 0.8, {}, sli=0.9972, detail={"measure": "ttft", "below": 3.0})],
        ),
        slo("queue-wait", "latency", 0.99, [group("no_telemetry", 0.64, None, {})]),
        slo(
            "request-errors",
            "errors",
            0.995,
            [
                group("ok", 0.83, 0.4, {"input_type": "chat"}, sli=0.99915, total=31_040),
                group("exhausted", -1.38, 22.7, {"input_type": "code"}, sli=0.98812, total=9_120, alerts=page),
                group("not_enough_data", 1.0, 0.0, {"input_type": "long"}, sli=1.0, total=14),
            ],
            per=["input_type"],
            runbook="slice-errors",
        ),
        slo("input-drift", "drift", 0.95, [group("ok", 0.97, 0.1, {}, sli=0.9985)]),
        slo("confidence-drift", "drift", 0.95, [group("no_traffic", None, None, {})]),
    ]


def history(start: float, end: float, step: float, objective: float) -> list[dict[str, Any]]:
    """A budget that is spent slowly, then fast in the last fifth."""
    rng = random.Random(7)
    remaining, points = 1.0, []
    count = max(1, round((end - start) / step))
    for i in range(count):
        bad_time = i > count * 0.82
        total = 400 + 120 * math.sin(i / 9) + rng.uniform(-40, 40)
        share = (1 - objective) * (rng.uniform(14, 26) if bad_time else rng.uniform(0.1, 1.1))
        remaining -= (0.05 if bad_time else 0.004) * 180 / count
        sli = 1 - share
        points.append(
            {
                "t": start + i * step,
                "good": round(total * sli),
                "total": round(total),
                "sli": sli,
                "burn": share / (1 - objective),
                "budget_remaining": remaining,
            }
        )
    return points
