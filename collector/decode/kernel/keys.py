"""The attribute names that are read, as a table for the kernel; it is made once, and copied for each batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from collector.decode.kernel.arrays import (
    COLUMN,
    EVENT,
    FALSE,
    NUMBER_PLACE,
    OTHER_SEED,
    PADDING,
    SEED,
    STATE,
    TEXT_PLACE,
    TRUE,
    Codes,
    Ints,
)
from collector.decode.kernel.program import Program
from collector.decode.values import EVENT_NAME_ATTRIBUTE
from telemetry.schema import EMBEDDING_ATTRIBUTE, FEATURE_ATTRIBUTE_PREFIX

_SPECIAL: Final = (EVENT_NAME_ATTRIBUTE, EMBEDDING_ATTRIBUTE)
"""Attributes that have a column whether they are wanted or not, from ``EVENT`` on."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The names of one task.

    Attributes:
        constants: what every buffer begins with: the texts of booleans, then the names.
        names: of the columns; features come after them, in the order in which they are found.
        keeps_event: whether the old event name is also wanted as an attribute.
        slots, columns: the hash table, see :mod:`collector.decode.kernel.arrays`, with room for all features.
    """

    constants: bytes
    names: tuple[str, ...]
    keeps_event: bool
    slots: Codes
    columns: Ints


def keys_of(program: Program, wanted: frozenset[str], features: int) -> Keys:
    """The table of the ``wanted`` names with room for so many ``features``, which are read without being named."""
    plain = sorted(name for name in wanted.difference(_SPECIAL) if not name.startswith(FEATURE_ATTRIBUTE_PREFIX))
    names = ("", "", *_SPECIAL, *plain)
    constants = bytearray(TRUE + FALSE)
    places: list[tuple[int, int, int]] = []
    for column in range(EVENT, len(names)):
        start = len(constants)
        constants += names[column].encode(errors="surrogatepass")
        places.append((column, start, len(constants)))
    columns = np.zeros((len(names) + features, COLUMN), dtype=np.int64)
    columns[:, TEXT_PLACE] = columns[:, NUMBER_PLACE] = -1
    slots = np.full(4 << len(columns).bit_length(), -1, dtype=np.int32)
    state = np.zeros(STATE, dtype=np.int64)
    state[SEED], state[OTHER_SEED] = program.seeds
    data = np.frombuffer(constants + PADDING, dtype=np.uint8)
    program.index_keys(data, state, slots, columns, np.asarray(places, dtype=np.int64))
    return Keys(bytes(constants), names, EVENT_NAME_ATTRIBUTE in wanted, slots, columns)
