"""Which rows of drawn requests a disturbance strikes, and how strongly, by their labels and times. It draws nothing."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tailwatch.simulation.scenario import Disturbance, Scenario
from telemetry.columns import Columns


def rows_of(columns: Columns, labels: Mapping[str, str]) -> NDArray[np.bool_]:
    """(n,) whether a row has all of ``labels``; an empty text stands for none."""
    mask = np.ones(len(columns), dtype=np.bool_)
    for name, text in labels.items():
        column = columns.string(name)
        mask &= column.codes < 0 if not text else column.mask([value == text for value in column.values], missing=False)
    return mask


def strength_of(one: Disturbance, scenario: Scenario, columns: Columns) -> NDArray[np.float64]:
    """(n,) how strong a disturbance is on each row, within 0..1."""
    since_ns = columns.time_ns - (scenario.start_ns + one.start_ns)
    course = np.clip(since_ns / one.ramp_ns, 0.0, 1.0) if one.ramp_ns else np.ones(len(columns))
    within = (since_ns >= 0) & (since_ns < one.duration_ns)
    return np.asarray(np.where(within & rows_of(columns, one.where), course, 0.0))


def strikes_within(one: Disturbance, scenario: Scenario, columns: Columns) -> bool:
    """Whether a disturbance overlaps the times of any row."""
    begin_ns = scenario.start_ns + one.start_ns
    return bool(len(columns)) and bool(
        columns.time_ns.max() >= begin_ns and columns.time_ns.min() < begin_ns + one.duration_ns
    )
