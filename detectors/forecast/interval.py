"""Summaries of simulated values: the equal-tailed interval that a forecast states. They judge nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

COVERAGE: Final = 0.8
"""The share of forecasts whose truth lies within low and high."""
TAIL: Final = (1 - COVERAGE) / 2


@dataclass(frozen=True, slots=True)
class Interval:
    """Quantiles of what may come; infinite where it may never."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Interval:
        """The interval of (paths,) values, among which may be infinities."""
        ordered = np.sort(values)
        places = np.clip(np.round(np.asarray([TAIL, 0.5, 1 - TAIL]) * (len(ordered) - 1)).astype(int), 0, None)
        return cls(*(float(value) for value in ordered[places]))

    def to_json(self) -> dict[str, Any]:
        """The interval as the API shows it; null for never."""
        shown = {"low": self.low, "median": self.median, "high": self.high}
        return {name: value if math.isfinite(value) else None for name, value in shown.items()}
