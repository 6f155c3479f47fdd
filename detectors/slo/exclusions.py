"""The times that budget corrections take out of one SLO's counts, by group; it counts and decides nothing else.

A bucket is taken out whole when any part of it lies in an active correction: what a maintenance touched says nothing
about the service. Events are counted in buckets of 10 s, so the edges of a correction are sharp to that; a slice of
time (SLOs that judge slices) goes when the correction touches it. Counts that were folded to wider buckets before the
correction was made go by the start of their bucket.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from detectors.slo.spec import Slo
from telemetry.corrections import Correction
from telemetry.deltas import SliDelta, group_labels
from telemetry.windows import BUCKET_NS, bucket_start

Times = NDArray[np.int64]


def corrections_of(slo: Slo, corrections: Iterable[Correction]) -> tuple[Correction, ...]:
    """The active corrections that may be about a group of ``slo``."""
    return tuple(one for one in corrections if one.active and one.asked.about(slo.name, slo.service))


class Exclusions:
    """What active corrections exclude from one SLO."""

    def __init__(self, slo: Slo, corrections: Iterable[Correction] = ()) -> None:
        """Exclude what those of ``corrections`` that are active and about ``slo`` say."""
        self.corrections = corrections_of(slo, corrections)
        self._slo = slo
        self._spans = lru_cache(maxsize=None)(self._find_spans)

    def spans(self, group: str) -> tuple[Times, Times]:
        """(k,) starts and ends (ns) of what is excluded of a group, apart from each other, oldest first."""
        return self._spans(group)

    def mask(self, group: str, starts_ns: Times, width_ns: int = BUCKET_NS) -> NDArray[np.bool_]:
        """Whether buckets of a group, of one width, have a part that is excluded; shape of ``starts_ns``."""
        starts, ends = self.spans(group)
        if not len(starts):
            return np.zeros(np.shape(starts_ns), dtype=np.bool_)
        last = np.searchsorted(starts, starts_ns + width_ns, side="left") - 1
        return np.asarray((last >= 0) & (ends[np.maximum(last, 0)] > starts_ns))

    def covering(self, groups: Sequence[str], time_ns: int) -> NDArray[np.bool_]:
        """(groups,) whether a moment is excluded."""
        if not any(one.asked.start_ns <= time_ns < one.asked.end_ns for one in self.corrections):
            return np.zeros(len(groups), dtype=np.bool_)
        moment = np.asarray([time_ns])
        return np.asarray([bool(self.mask(group, moment, 1)[0]) for group in groups], dtype=np.bool_)

    def part(self, rows: Sequence[SliDelta], width_ns: int = BUCKET_NS) -> tuple[list[SliDelta], list[SliDelta]]:
        """Rows that count and rows that do not, in their order."""
        if not self.corrections:
            return list(rows), []
        by_group: dict[str, list[SliDelta]] = {}
        for row in rows:
            by_group.setdefault(row.group, []).append(row)
        counted: list[SliDelta] = []
        excluded: list[SliDelta] = []
        for group, own in by_group.items():
            mask = self.mask(group, np.asarray([row.bucket_ns for row in own], dtype=np.int64), width_ns)
            for row, out in zip(own, mask.tolist(), strict=True):
                (excluded if out else counted).append(row)
        return counted, excluded

    def _find_spans(self, group: str) -> tuple[Times, Times]:
        labels = group_labels(group)
        found = sorted(
            (one.asked.start_ns, one.asked.end_ns)
            for one in self.corrections
            if one.asked.covers(self._slo.name, self._slo.service, labels)
        )
        joined: list[tuple[int, int]] = []
        for start_ns, end_ns in found:
            if joined and start_ns <= joined[-1][1]:
                joined[-1] = joined[-1][0], max(joined[-1][1], end_ns)
            else:
                joined.append((start_ns, end_ns))
        table = np.asarray(joined, dtype=np.int64).reshape(-1, 2)
        return table[:, 0], table[:, 1]


def edges(corrections: Iterable[Correction], start_ns: int, end_ns: int) -> list[int]:
    """The moments within [start, end) at which an active correction begins or ends, widened to buckets of 10 s.

    Counts must not be folded across them while that can be helped.
    """
    found: set[int] = set()
    for one in corrections:
        if one.active:
            found |= {bucket_start(one.asked.start_ns), -(-one.asked.end_ns // BUCKET_NS) * BUCKET_NS}
    return sorted(at_ns for at_ns in found if start_ns <= at_ns < end_ns)
