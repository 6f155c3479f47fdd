"""Which requests were served while something warmed up; whether they were slow is not asked.

A record is warm-up when its source says so (``warmup`` is true), or when its instance was not seen before the onset and
had made its first record less than two minutes earlier.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from telemetry.columns import Columns
from telemetry.windows import NANOS

YOUNG_NS: Final = 120 * NANOS
"""Age up to which an instance counts as young: loading weights, compiling kernels and filling caches take minutes."""
SAID_YES: Final = frozenset({"true", "True", "TRUE", "1", "yes"})


def warming(before: Columns, after: Columns) -> NDArray[np.bool_]:
    """(m,) bool: the later records served during warm-up."""
    said = after.string("warmup")
    warm = said.mask([value in SAID_YES for value in said.values], missing=False)
    known = {value for value in before.string("instance").tolist() if value}
    if not known:
        return warm
    instances = after.string("instance")
    for code, value in enumerate(instances.values):
        rows = instances.codes == code
        if value in known or not rows.any():
            continue
        age = after.start_ns - after.start_ns[rows].min()
        warm = warm | (rows & (age < YOUNG_NS))
    return warm
