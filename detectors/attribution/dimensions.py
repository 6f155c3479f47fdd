"""Records as integer codes per dimension, shared by two windows; it counts nothing and judges nothing.

Only dimensions that tell records apart are kept: one with a single value in both windows can explain nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from telemetry.columns import Columns

DIMENSIONS: Final = (
    "input_type", "operation", "model_version", "model", "tenant", "region", "provider", "environment", "service",
    "instance", "streaming", "cache_hit",
)  # fmt: skip
"""Where trouble is looked for, the more telling first: of two that fit equally well, the earlier is named."""

LARGEST_VALUES: Final = 50
"""Values of a dimension that are looked at, by their traffic after the onset; rarer ones have no support anyway."""

UNNAMED: Final = -1
"""Code of a missing value, and of one beyond the limit: never a slice of its own."""


@dataclass(frozen=True, slots=True, eq=False)
class CodedDimension:
    """One dimension of both windows.

    Attributes:
        name: the field.
        values: the values that codes index.
        before: (n,) code a record, ``UNNAMED`` where there is none.
        after: (m,) the same for the later window.
    """

    name: str
    values: tuple[str, ...]
    before: NDArray[np.intp]
    after: NDArray[np.intp]


def code_dimensions(before: Columns, after: Columns, names: Sequence[str]) -> list[CodedDimension]:
    """The dimensions of ``names`` that tell records apart, in that order."""
    coded = (_code(name, before, after) for name in names)
    return [dimension for dimension in coded if dimension is not None]


def _code(name: str, before: Columns, after: Columns) -> CodedDimension | None:
    first, second = before.string(name), after.string(name)
    table = {value: place for place, value in enumerate(dict.fromkeys((*first.values, *second.values)))}
    unified = [
        np.asarray([*(table[value] for value in column.values), UNNAMED], dtype=np.intp)[column.codes]
        for column in (first, second)
    ]
    traffic = np.bincount(unified[1][unified[1] >= 0], minlength=len(table))
    kept = [place for place in np.argsort(-traffic, kind="stable")[:LARGEST_VALUES] if traffic[place]]
    # Shifted by one, so that a missing value counts as one more.
    present = np.flatnonzero(sum(np.bincount(codes + 1, minlength=len(table) + 1) for codes in unified))
    if len(present) < 2 or not kept:
        return None
    renumber = np.full(len(table) + 1, UNNAMED, dtype=np.intp)
    renumber[kept] = np.arange(len(kept))
    names = tuple(table)
    return CodedDimension(name, tuple(names[place] for place in kept), renumber[unified[0]], renumber[unified[1]])
