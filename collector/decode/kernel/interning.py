"""Finds byte strings in the kernel's hash tables; a search among what senders chose ends after a bounded length."""

from __future__ import annotations

import numpy as np

from collector.decode.kernel.arrays import (
    CODES,
    ENTRY_CODE,
    ENTRY_END,
    ENTRY_HASH,
    ENTRY_LABEL,
    ENTRY_START,
    KEY_END,
    KEY_HASH,
    KEY_SLOT,
    KEY_START,
    SEED,
    STRINGS,
)
from collector.decode.kernel.jit import Codes, Ints, Words, constants, fold, helper, inlined, signed
from collector.decode.kernel.text import are_equal, hash_of

FULL, TOO_MANY_PROBES = -1, -2
MAX_PROBES = 512
"""With half of the slots free, the longest search among a million honest strings takes about 70 probes."""

PLAIN, OF_ARRAY, OF_KVLIST = constants(3)
"""Forms of a string: itself, or the JSON text of the array or list whose bytes it is."""

FORM_BITS = 2


@helper
def intern(
    words: Words,
    state: Ints,
    slots: Codes,
    entries: Ints,
    columns: Ints,
    column: int,
    form: int,
    start: int,
    end: int,
    text_hash: np.uint64,
) -> int:
    """The code of a byte string in ``column``; ``FULL`` or ``TOO_MANY_PROBES`` when it gets none."""
    label = column << FORM_BITS | form
    full_hash = signed(fold(text_hash ^ np.uint64(label), np.uint64(state[SEED])))
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
            code: int = columns[column, CODES]
            columns[column, CODES] = code + 1
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
            and are_equal(words, entries[index, ENTRY_START], start, end - start)
        ):
            known: int = entries[index, ENTRY_CODE]
            return known
        slot = (slot + 1) & mask
    return TOO_MANY_PROBES


def fill_slots(slots: Codes, entries: Ints) -> None:
    """Put every one of the ``entries`` into the free ``slots``, each behind those that came before it."""
    mask = len(slots) - 1
    for index in range(len(entries)):
        slot = entries[index, ENTRY_HASH] & mask
        while slots[slot] >= 0:
            slot = (slot + 1) & mask
        slots[slot] = index


@inlined
def find_key(
    words: Words, key_slots: Codes, columns: Ints, start: int, end: int, key_hash: np.uint64
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
            and are_equal(words, columns[column, KEY_START], start, end - start)
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


def index_keys(words: Words, state: Ints, key_slots: Codes, columns: Ints, keys: Ints) -> None:
    """Put the ``keys`` (m, 3: column, start and end in ``words``) into the table."""
    for index in range(len(keys)):
        start, end = keys[index, 1], keys[index, 2]
        key_hash, _ = hash_of(words, state, start, end)
        _, slot = find_key(words, key_slots, columns, start, end, key_hash)
        put_key(key_slots, columns, keys[index, 0], slot, start, end, key_hash)
