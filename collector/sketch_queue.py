"""Gathers the numbers of all rules and fields of a batch, and makes their sketches in one pass; it chooses none.

NumPy's cost per call is what small batches consist of, and one pass has as many calls as a field alone would have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from telemetry.deltas import DistributionDelta
from telemetry.grouping import Numbers
from telemetry.sketch_batch import sketch_slots

_AT_ONCE: Final = 1_000_000
"""Values, or cells to put them in, of one pass: what it takes in memory is about 100 bytes each."""


@dataclass(frozen=True, slots=True)
class _Part:
    """The values of one rule and field, and their cells, of which each has a group and a bucket."""

    rule: str
    field: str
    groups: Sequence[str]
    buckets_ns: Sequence[int]
    values: NDArray[np.float64]
    cell: Numbers


@dataclass(slots=True)
class SketchQueue:
    """``put`` values, then ``finish``."""

    _parts: list[_Part] = field(default_factory=list)
    _values: int = 0
    _cells: int = 0
    _made: list[DistributionDelta] = field(default_factory=list)

    def put(
        self,
        rule: str,
        field_name: str,
        groups: Sequence[str],
        buckets_ns: Sequence[int],
        *,
        values: NDArray[np.float64],
        cell: Numbers,
    ) -> None:
        """Add ``values`` (n,) of a field, value ``i`` to the group and bucket of the cell ``cell[i]``; NaN is none."""
        self._parts.append(_Part(rule, field_name, groups, buckets_ns, values, cell))
        self._values += len(values)
        self._cells += len(groups)
        if max(self._values, self._cells) > _AT_ONCE:
            self._make()

    def finish(self) -> list[DistributionDelta]:
        """The distributions of all that was put, those of cells without a value left out."""
        if self._parts:
            self._make()
        return self._made

    def _make(self) -> None:
        cells = [len(part.groups) for part in self._parts]
        first_slots = np.cumsum(cells) - cells
        slot = np.concatenate([part.cell for part in self._parts])
        slot += np.repeat(first_slots, [len(part.cell) for part in self._parts])
        values = np.concatenate([part.values for part in self._parts])
        sketches = iter(sketch_slots(values, slot, sum(cells)))
        for part in self._parts:
            # The part's cells come first: with them in front, zip takes no sketch that is the next part's.
            for group, bucket_ns, sketch in zip(part.groups, part.buckets_ns, sketches, strict=False):
                if sketch is not None:
                    self._made.append(DistributionDelta(part.rule, group, bucket_ns, part.field, sketch))
        self._parts, self._values, self._cells = [], 0, 0
