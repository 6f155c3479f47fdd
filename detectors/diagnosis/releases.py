"""Which model versions arrived with the trouble; whether they caused it is decided elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from telemetry.columns import Columns
from telemetry.windows import NANOS

ABSENT: Final = 0.005
"""Share of the earlier traffic up to which a version counts as not there yet: a smoke test is no release."""
ARRIVED: Final = 0.01
"""Share of the later traffic from which it counts as there."""
GROWTH: Final = 3.0
"""Factor by which a version's share must have grown to count as being rolled out."""
DOMINANT: Final = 0.9
"""Share of the later traffic beyond which too little is left to compare a version with."""


@dataclass(frozen=True, slots=True)
class Release:
    """A version that is new or being rolled out.

    Attributes:
        version: its name.
        before, after: its share of the traffic, 0..1.
        new: whether it was absent before.
        first_ns: its first record since the onset.
        replaced: the commonest version before; empty without one.
    """

    version: str
    before: float
    after: float
    new: bool
    first_ns: int
    replaced: str

    @property
    def dominant(self) -> bool:
        """Whether nearly all traffic has it."""
        return self.after >= DOMINANT

    def text(self, onset_ns: int | None) -> str:
        """What happened, in one sentence."""
        lead = f"version {self.version} went from {100 * self.before:.0f} % to {100 * self.after:.0f} % of the traffic"
        if onset_ns is None or not self.new:
            return lead
        gap = (self.first_ns - onset_ns) / NANOS
        return f"{lead}, first seen {abs(gap):.0f} s {'after' if gap > 0 else 'before'} the onset"


def releases(before: Columns, after: Columns) -> list[Release]:
    """Versions that arrived or grew, the largest share first; none when there is nothing to compare with."""
    shares = _shares(before), _shares(after)
    if not shares[0] or not shares[1]:
        return []
    replaced = max(shares[0], key=lambda name: shares[0][name])
    found = []
    for version, share in shares[1].items():
        earlier = shares[0].get(version, 0.0)
        if share < ARRIVED or share < GROWTH * earlier:
            continue
        column = after.string("model_version")
        rows = column.codes == column.values.index(version)
        found.append(Release(version, earlier, share, earlier <= ABSENT, int(after.start_ns[rows].min()), replaced))
    return sorted(found, key=lambda item: -item.after)


def release_of(labels: Mapping[str, str], found: list[Release]) -> Release | None:
    """The release that a slice names, if it names one."""
    return next((item for item in found if item.version == labels.get("model_version")), None)


def _shares(columns: Columns) -> dict[str, float]:
    column = columns.string("model_version")
    known = column.codes >= 0
    if not known.any():
        return {}
    counts = np.bincount(column.codes[known], minlength=len(column.values))
    return {value: float(n) / int(known.sum()) for value, n in zip(column.values, counts, strict=True) if n}
