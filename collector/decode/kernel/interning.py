"""Finds byte strings in the kernel's hash tables; a search among what senders chose ends after a bounded length."""

from __future__ import annotations

import numpy as np

from collector.decode.kernel.arrays import (
    CODES,
    DONE,
    ENTRY_CODE,
    ENTRY_END,
    ENTRY_HASH,
    ENTRY_LABEL,
    ENTRY_START,
    FORM_BITS,
    KEY_END,
    KEY_HASH,
    KEY_SLOT,
    KEY_START,
    STRINGS,
    Bytes,
    Codes,
    Ints,
)
from collector.decode.kernel.jit import inlined, signed
from collector.decode.kernel.text import are_equal, hash_of

FULL, TOO_MANY_PROBES = -1, -2
MAX_PROBES = 512
"""With half of the slots free, the longest search among a million honest strings takes about 70 probes."""


@inlined
def intern(
    data: Bytes,
    state: Ints,
    slots: Codes,
    entries: Ints,
    columns: Ints,
    label: int,
    start: int,
    end: int,
    text_hash: np.uint64,
) -> int:
    """The code of a byte string in the column that ``label`` names; ``FULL`` or ``TOO_MANY_PROBES`` for none."""
    full_hash = signed(text_hash)
    mask = len(slots) - 1
    slot = full_hash & mask
    for _ in range(MAX_PROBES):
        index = slots[slot]
        if index < 0:
            used = state[STRINGS]
            if used >= len(entries):
                return FULL
            state[STRINGS] = used + 1
            slots[slot] = used
            code: int = columns[label >> FORM_BITS, CODES]
            columns[label >> FORM_BITS, CODES] = code + 1
            entries[used, ENTRY_HASH] = full_hash
            entries[used, ENTRY_LABEL] = label
            entries[used, ENTRY_START] = start
            entries[used, ENTRY_END] = end
            entries[used, ENTRY_CODE] = code
            return code
        if (
            entries[index, ENTRY_HASH] == full_hash
            and entries[index, ENTRY_LABEL] == label
            and entries[index, ENTRY_END] - entries[index, ENTRY_START] == end - start
            and are_equal(data, entries[index, ENTRY_START], start, end - start)
        ):
            known: int = entries[index, ENTRY_CODE]
            return known
        slot = (slot + 1) & mask
    return TOO_MANY_PROBES


def fill_slots(slots: Codes, entries: Ints) -> int:
    """Put every one of the ``entries`` into the free ``slots``, each behind those that came before it."""
    mask = len(slots) - 1
    for index in range(len(entries)):
        slot = entries[index, ENTRY_HASH] & mask
        while slots[slot] >= 0:
            slot = (slot + 1) & mask
        slots[slot] = index
    return DONE


@inlined
def find_key(
    data: Bytes, key_slots: Codes, columns: Ints, start: int, end: int, key_hash: np.uint64
) -> tuple[int, int]:
    """The column of a key, and its slot; column -1 and a free slot when it has none."""
    mask = len(key_slots) - 1
    slot = signed(key_hash) & mask
    while True:
        column = signed(key_slots[slot])
        if column < 0:
            return -1, slot
        if (
            columns[column, KEY_HASH] == signed(key_hash)
            and columns[column, KEY_END] - columns[column, KEY_START] == end - start
            and are_equal(data, columns[column, KEY_START], start, end - start)
        ):
            return column, slot
        slot = (slot + 1) & mask


@inlined
def put_key(key_slots: Codes, columns: Ints, column: int, slot: int, start: int, end: int, key_hash: np.uint64) -> None:
    """Give the key the ``column``; ``slot`` is free, as ``find_key`` says."""
    key_slots[slot] = column
    columns[column, KEY_HASH] = signed(key_hash)
    columns[column, KEY_START] = start
    columns[column, KEY_END] = end
    columns[column, KEY_SLOT] = slot


def index_keys(data: Bytes, state: Ints, key_slots: Codes, columns: Ints, keys: Ints) -> int:
    """Put the ``keys`` (m, 3: column, start and end in ``data``) into the table."""
    for index in range(len(keys)):
        start, end = keys[index, 1], keys[index, 2]
        key_hash, _ = hash_of(data, state, start, end, 0)
        _, slot = find_key(data, key_slots, columns, start, end, key_hash)
        put_key(key_slots, columns, keys[index, 0], slot, start, end, key_hash)
    return DONE
