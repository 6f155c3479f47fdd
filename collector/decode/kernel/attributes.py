"""Reads one attribute of a record: the shape that every sender writes at once, any other in two steps.

The common shape is a key and then a value with one member, a text, a number or a boolean, and nothing else.
Whatever differs is first checked as a message and then read, so that one place decides what is well formed.
"""

from __future__ import annotations

import numpy as np

from collector.decode.kernel.arrays import (
    DONE,
    EMBEDDING,
    EVENT,
    EVENT_AT,
    EVENT_END,
    FEATURES,
    FIRST_FEATURE,
    HAND_OVER,
    HAS_EVENT,
    IGNORED_HERE,
    IS_ALONE,
    KEEPS_EVENT,
    MALFORMED,
    MAX_DEPTH,
    PLAIN_CELL,
    Bytes,
    Codes,
    Floats,
    Ints,
)
from collector.decode.kernel.cells import put, put_vector
from collector.decode.kernel.check import is_message
from collector.decode.kernel.interning import find_key, put_key
from collector.decode.kernel.jit import helper, inlined, signed, word_at
from collector.decode.kernel.messages import KEY_VALUE
from collector.decode.kernel.text import are_equal, hash_of, is_utf8
from collector.decode.kernel.values import BOOL, DOUBLE, INT, MERGED, NOTHING, TEXT, Value, pair_at
from collector.decode.kernel.wire import read_length, read_varint

_UNWANTED, _BEYOND_LIMIT, _CROWDED, _BROKEN = -1, -2, -3, -4
"""What a key without a column is: not asked for, a feature too many for one request or for the batch, no UTF-8."""

_FEATURE_WORDS = (int.from_bytes(b"tailwatc", "little"), int.from_bytes(b"h.featur", "little"))
_FEATURE_REST = int.from_bytes(b"e.", "little")
_ARRAY_TAG, _ITEM_TAG = 0x2A, 0x0A
_FEATURE_LENGTH = len(b"tailwatch.feature.")


@inlined
def _is_feature(data: Bytes, start: int, end: int) -> bool:
    return (
        end - start >= _FEATURE_LENGTH
        and word_at(data, start) == np.uint64(_FEATURE_WORDS[0])
        and word_at(data, start + 8) == np.uint64(_FEATURE_WORDS[1])
        and word_at(data, start + 16) & np.uint64(0xFFFF) == np.uint64(_FEATURE_REST)
    )


@helper
def _column(data: Bytes, state: Ints, key_slots: Codes, columns: Ints, start: int, end: int) -> int:
    """The column of a key; a new feature gets one while there is room."""
    key_hash, is_ascii = hash_of(data, state, start, end, 0)
    if not is_ascii and not is_utf8(data, start, end):
        return _BROKEN
    column, slot = find_key(data, key_slots, columns, start, end, key_hash)
    if column >= 0 or not _is_feature(data, start, end):
        return column
    feature: int = state[FIRST_FEATURE] + state[FEATURES]
    if feature >= len(columns):  # among several bodies it may be another that fills the limit
        return _BEYOND_LIMIT if state[IS_ALONE] != 0 else _CROWDED
    state[FEATURES] += 1
    put_key(key_slots, columns, feature, slot, start, end, key_hash)
    return feature


@inlined
def _remembered_column(
    data: Bytes,
    state: Ints,
    key_slots: Codes,
    columns: Ints,
    recent: Ints,
    place: int,
    start: int,
    end: int,
) -> int:
    """The same as ``_column``, quickly for a key that stood at the same ``place`` of the record before."""
    if (
        place < len(recent)
        and recent[place, 1] == end - start
        and are_equal(data, recent[place, 0], start, end - start)
    ):
        known: int = recent[place, 2]
        return known
    column = _column(data, state, key_slots, columns, start, end)
    if place < len(recent) and column != _BROKEN:
        recent[place, 0], recent[place, 1], recent[place, 2] = start, end - start, column
    return column


@inlined
def _common_value(data: Bytes, at: int, end: int) -> Value:
    """The value in ``data[at:end]`` when it has the common shape; ``MERGED`` stands for any other shape."""
    if at == end:
        return NOTHING, at, at
    tag = data[at]
    if tag == 0x0A:
        start, stop = read_length(data, at + 1, end)
        if stop == end:
            return TEXT, start, stop
    elif tag == 0x18 or tag == 0x10:
        number, stop = read_varint(data, at + 1, end)
        if stop == end:
            return INT if tag == 0x18 else BOOL, signed(number), at
    elif tag == 0x21 and at + 9 == end:
        return DOUBLE, at + 1, at
    return MERGED, at, at


@inlined
def _only_item(data: Bytes, at: int, end: int) -> Value:
    """The item of an array in ``data[at:end]`` that has one of the common shape; ``MERGED`` stands for any other."""
    if at < end and data[at] == _ARRAY_TAG:
        start, stop = read_length(data, at + 1, end)
        if 0 <= start < stop and stop == end and data[start] == _ITEM_TAG:
            start, stop = read_length(data, start + 1, end)
            if stop == end:
                return _common_value(data, start, stop)
    return MERGED, at, at


@inlined
def _read_special(
    data: Bytes, rules: Codes, stack: Ints, state: Ints, rows: Ints, row: int, column: int, value: Value
) -> int:
    """Read an attribute that is no plain cell: unwanted, a feature too many, the embedding, the old event name."""
    if value[0] == TEXT and not is_utf8(data, value[1], value[2]):
        return MALFORMED
    if column == _BEYOND_LIMIT:
        state[IGNORED_HERE] += 1
    elif column == _CROWDED or (column != _UNWANTED and value[0] == MERGED):
        return HAND_OVER
    elif column == EMBEDDING:
        put_vector(data, rules, stack, state, rows, row, value)
    elif column == EVENT:
        if state[HAS_EVENT] == 0:
            state[HAS_EVENT] = 1
            if value[0] == TEXT:
                state[EVENT_AT], state[EVENT_END] = value[1], value[2]
        if state[KEEPS_EVENT] != 0:
            return PLAIN_CELL
    return DONE


@inlined
def read_attribute(
    data: Bytes,
    rules: Codes,
    stack: Ints,
    state: Ints,
    slots: Codes,
    entries: Ints,
    key_slots: Codes,
    columns: Ints,
    recent: Ints,
    rows: Ints,
    texts: Codes,
    numbers: Floats,
    row: int,
    place: int,
    at: int,
    end: int,
) -> int:
    """Read the KeyValue in ``data[at:end]``, the attribute at ``place`` of its record, into the cells of ``row``."""
    key, key_end = at, at
    value = (MERGED, at, at)
    is_item = False
    if at < end and data[at] == 0x0A:
        key, key_end = read_length(data, at + 1, end)
        if 0 <= key_end < end and data[key_end] == 0x12:
            start, stop = read_length(data, key_end + 1, end)
            if stop == end:
                value = _common_value(data, start, stop)
                if value[0] == MERGED:
                    value = _only_item(data, start, stop)
                    is_item = value[0] != MERGED
    if value[0] == MERGED:
        if not is_message(data, rules, stack, KEY_VALUE, at, end, MAX_DEPTH - 1):
            return MALFORMED
        key, key_end, value = pair_at(data, rules, stack, at, end)
    column = _remembered_column(data, state, key_slots, columns, recent, place, key, key_end)
    if column == _BROKEN:
        return MALFORMED
    if column <= EMBEDDING:
        if is_item and value[0] == TEXT and not is_utf8(data, value[1], value[2]):
            return MALFORMED
        if is_item and column >= 0:  # neither an embedding nor an event name is what its only item is
            key, key_end, value = pair_at(data, rules, stack, at, end)
        outcome = _read_special(data, rules, stack, state, rows, row, column, value)
        if outcome != PLAIN_CELL:
            return outcome
    if value[0] == MERGED:
        return HAND_OVER
    return put(data, rules, stack, state, slots, entries, columns, texts, numbers, row, column, value)
