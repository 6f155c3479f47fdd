"""Writes the distinct strings of a batch behind each other, so that Python makes all of them at one stroke."""

from __future__ import annotations

from collector.decode.kernel.arrays import (
    CODES,
    ENTRY_CODE,
    ENTRY_END,
    ENTRY_LABEL,
    ENTRY_START,
    FORM_BITS,
    PLAIN,
    SEPARATOR,
    STRINGS,
    Bytes,
    Ints,
)

_SEPARATOR_BYTE = ord(SEPARATOR)


def sort_strings(state: Ints, entries: Ints, columns: Ints, order: Ints, bounds: Ints) -> int:
    """The bytes that the plain strings take with a separator behind every string.

    ``order`` (strings,) becomes the places of the entries by column, and within a column by code; ``bounds``
    (columns + 1,) where each column begins in ``order``.
    """
    bounds[0] = 0
    for column in range(len(columns)):
        bounds[column + 1] = bounds[column] + columns[column, CODES]
    length = 0
    for index in range(state[STRINGS]):
        label = entries[index, ENTRY_LABEL]
        order[bounds[label >> FORM_BITS] + entries[index, ENTRY_CODE]] = index
        length += 1
        if label & ((1 << FORM_BITS) - 1) == PLAIN:
            length += entries[index, ENTRY_END] - entries[index, ENTRY_START]
    return length


def join_strings(data: Bytes, entries: Ints, order: Ints, out: Bytes) -> int:
    """Fill ``out``, and return how much of it; a string that is not plain leaves its separator only."""
    at = 0
    for index in order:
        if entries[index, ENTRY_LABEL] & ((1 << FORM_BITS) - 1) == PLAIN:
            for source in range(entries[index, ENTRY_START], entries[index, ENTRY_END]):
                out[at] = data[source]
                at += 1
        out[at] = _SEPARATOR_BYTE
        at += 1
    return at
