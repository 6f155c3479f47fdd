"""Series and heatmaps as the API gives them."""

from __future__ import annotations

import math
import random
from typing import Any

SCALES = {"tokens_in": 420.0, "tokens_out": 160.0, "cost": 0.0008, "confidence": 0.82, "ttft": 0.31}
MODELS = ("smollm2-135m-instruct", "minilm-topic-classifier", "all-minilm-l6-v2")


def series(measure: str, start: float, end: float, step: float, by: str | None) -> list[dict[str, Any]]:
    """One series for each model, or one for all; a slow spell in the last fifth."""
    found = []
    for index, model in enumerate(MODELS if by else ("all",)):
        rng = random.Random(index + len(measure))
        scale = SCALES.get(measure, 0.18) * (1 + index)
        count = max(1, round((end - start) / step))
        points = []
        for i in range(count):
            slow = 1.0 if i < count * 0.8 or index else 2.6
            requests = round(step / 60 * (190 + 60 * math.sin(i / 11) + rng.uniform(-15, 15)) / (1 + index))
            median = scale * (1 + rng.uniform(-0.08, 0.08))
            points.append(
                {
                    "t": start + i * step,
                    "count": requests,
                    "errors": round(requests * (0.004 if slow == 1.0 else 0.03)),
                    "p50": median,
                    "p90": median * 1.9 * slow**0.5,
                    "p95": median * 2.6 * slow,
                    "p99": median * 4.4 * slow * (1 + rng.uniform(-0.15, 0.15)),
                }
            )
        found.append({"labels": {by: model} if by else {}, "points": points})
    return found


def heatmap(measure: str, start: float, end: float, step: float) -> dict[str, Any]:
    """A narrow body and, in the last fifth, a second hump in the tail."""
    centre = SCALES.get(measure, 0.18)
    edges = [centre * 0.08 * 1.25**j for j in range(29)]
    times = [start + i * step for i in range(max(1, round((end - start) / step)))]
    rng = random.Random(3)
    counts = []
    for i, _ in enumerate(times):
        late = i > len(times) * 0.8
        row = []
        for edge in edges[:-1]:
            body = 60 * math.exp(-((math.log(edge / centre) / 0.42) ** 2))
            hump = 14 * math.exp(-((math.log(edge / (centre * 6)) / 0.3) ** 2)) if late else 0.0
            row.append(round((body + hump) * rng.uniform(0.7, 1.3)))
        counts.append(row)
    return {"t": times, "edges": edges, "counts": counts}
