"""The usual course of a week as exposure, for what has no events to be compared with: money. It forecasts nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from detectors.forecast.history import Hourly
from detectors.forecast.paths import weekdays

_LEAST: Final = 1e-3
"""An hour in which nothing was ever spent still counts for a thousandth of a mean one."""


def against_usual(seen: Hourly) -> Hourly:
    """``seen`` with what its hours of the day usually consume, by how busy the day of the week is, as exposure."""
    usual = np.maximum(seen.consumed.mean(axis=0), _LEAST * seen.consumed.mean())
    busy = weekdays(seen.consumed.sum(axis=1))[(np.arange(seen.days) + 1) % 7]
    return replace(seen, exposure=usual * busy[:, None])
