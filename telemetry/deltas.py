"""What one commit adds to the counters: appended, never updated, merged on read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from telemetry.sketches import DDSketch

OVERFLOW_GROUP: Final = "__overflow__"
"""Value of every group label beyond the cardinality limit."""

Distribution = DDSketch | Mapping[str, int]
"""A numeric field's sketch, or a string field's counts per value."""


@dataclass(frozen=True, slots=True)
class SliDelta:
    """``good`` of ``total`` more events of ``rule`` and ``group`` in the bucket starting at ``bucket_ns``."""

    rule: str
    group: str
    bucket_ns: int
    good: int
    total: int


@dataclass(frozen=True, slots=True)
class DistributionDelta:
    """More values of ``field``, for the same key as a :class:`SliDelta`."""

    rule: str
    group: str
    bucket_ns: int
    field: str
    distribution: Distribution


def group_key(labels: Mapping[str, str]) -> str:
    """The canonical text of a group: JSON with sorted keys, so that equal groups are equal texts."""
    return json.dumps(dict(labels), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def group_labels(key: str) -> dict[str, str]:
    """The labels of a canonical group text."""
    labels: dict[str, str] = json.loads(key)
    return labels
