"""The records to look at first: trace ids of the worst ones; it ranks nothing itself."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from telemetry.columns import Columns

EXEMPLARS: Final = 5


def exemplars(columns: Columns, worst: NDArray[np.intp], limit: int = EXEMPLARS) -> list[dict[str, Any]]:
    """The first ``limit`` of ``worst`` with a trace id, each trace once, as a JSON document."""
    found: dict[str, dict[str, Any]] = {}
    errors, durations = columns.string("error_type"), columns.number("duration")
    for row in worst:
        if len(found) == limit:
            break
        trace = columns.trace_id[row].tobytes().hex()
        if not trace.strip("0") or trace in found:
            continue
        duration, code = float(durations[row]), int(errors.codes[row])
        found[trace] = {
            "trace_id": trace,
            "duration_s": duration if math.isfinite(duration) else None,
            "error_type": errors.values[code] if code >= 0 else None,
        }
    return list(found.values())
