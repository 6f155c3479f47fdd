"""Puts the value of one attribute into its cell, as ``collector.decode.values.cell`` reads it."""

from __future__ import annotations

import numpy as np

from collector.decode.kernel.arrays import (
    DONE,
    FALSE,
    FORM_BITS,
    HAND_OVER,
    HAS_STRUCTURES,
    IGNORED_HERE,
    MALFORMED,
    MORE_NUMBERS,
    MORE_STRINGS,
    MORE_TEXTS,
    NUMBER_PLACE,
    NUMBERS,
    NUMBERS_CLEARED,
    OF_ARRAY,
    OF_KVLIST,
    PLAIN,
    TEXT_PLACE,
    TEXTS,
    TEXTS_CLEARED,
    TRUE,
    VECTOR_END,
    VECTOR_LENGTH,
    VECTOR_START,
    VECTORS,
    Bytes,
    Codes,
    Floats,
    Ints,
)
from collector.decode.kernel.interning import FULL, intern
from collector.decode.kernel.jit import helper, inlined
from collector.decode.kernel.text import hash_of, is_utf8
from collector.decode.kernel.values import ARRAY, BOOL, DOUBLE, INT, KVLIST, MERGED, TEXT, Value, next_item, number_of

_TRUE_END, _FALSE_END = len(TRUE), len(TRUE + FALSE)
_FLOAT32_MAX = float(np.finfo(np.float32).max)


@helper
def put_vector(data: Bytes, rules: Codes, stack: Ints, state: Ints, rows: Ints, row: int, value: Value) -> None:
    """Keep the place of an embedding: a non-empty array of numbers that fit float32; count any other value."""
    kind, start, end = value
    count = 0
    at = start
    while kind == ARRAY:
        at, item = next_item(data, rules, stack, at, end)
        if at < 0:
            break
        is_number = item[0] == INT or item[0] == DOUBLE
        if not is_number or not abs(number_of(data, item)) <= _FLOAT32_MAX:
            count = 0
            break
        count += 1
    if count == 0:
        state[IGNORED_HERE] += 1
        return
    rows[VECTOR_START, row] = start
    rows[VECTOR_END, row] = end
    rows[VECTOR_LENGTH, row] = count
    state[VECTORS] += 1


@inlined
def _put_number(state: Ints, columns: Ints, numbers: Floats, row: int, column: int, number: float) -> int:
    if not np.isfinite(number):
        return DONE
    place = columns[column, NUMBER_PLACE]
    if place < 0:
        place = state[NUMBERS]
        if place == len(numbers):
            return MORE_NUMBERS
        state[NUMBERS] += 1
        columns[column, NUMBER_PLACE] = place
        if place == state[NUMBERS_CLEARED]:  # else an undone record left it as clear as it was
            state[NUMBERS_CLEARED] += 1
            numbers[place] = np.nan
    numbers[place, row] = number
    return DONE


@inlined
def _put_text(
    data: Bytes,
    state: Ints,
    slots: Codes,
    entries: Ints,
    columns: Ints,
    texts: Codes,
    row: int,
    column: int,
    form: int,
    start: int,
    end: int,
) -> int:
    place = columns[column, TEXT_PLACE]
    if start == end and form == PLAIN:
        if place >= 0:
            texts[place, row] = -1
        return DONE
    if form != PLAIN:
        columns[column, HAS_STRUCTURES] = 1
    label = column << FORM_BITS | form
    text_hash, is_ascii = hash_of(data, state, start, end, label)
    if form == PLAIN and not is_ascii and not is_utf8(data, start, end):
        return MALFORMED
    code = intern(data, state, slots, entries, columns, label, start, end, text_hash)
    if code < 0:
        return MORE_STRINGS if code == FULL else HAND_OVER
    if place < 0:
        place = state[TEXTS]
        if place == len(texts):
            return MORE_TEXTS
        state[TEXTS] += 1
        columns[column, TEXT_PLACE] = place
        if place == state[TEXTS_CLEARED]:
            state[TEXTS_CLEARED] += 1
            texts[place] = -1
    texts[place, row] = code
    return DONE


@inlined
def put(
    data: Bytes,
    rules: Codes,
    stack: Ints,
    state: Ints,
    slots: Codes,
    entries: Ints,
    columns: Ints,
    texts: Codes,
    numbers: Floats,
    row: int,
    column: int,
    value: Value,
) -> int:
    """Write the value; a missing one leaves the cell as it is."""
    form = PLAIN
    if value[0] == ARRAY:
        form = OF_ARRAY
        at, item = next_item(data, rules, stack, value[1], value[2])
        if at >= 0 and item[0] != ARRAY and item[0] != KVLIST and item[0] != MERGED:
            form = PLAIN
            value = item
    kind, start, end = value
    if kind == INT or kind == DOUBLE:
        return _put_number(state, columns, numbers, row, column, number_of(data, value))
    if kind == BOOL:
        start, end = (0, _TRUE_END) if start != 0 else (_TRUE_END, _FALSE_END)
    elif kind == KVLIST:
        form = OF_KVLIST
    elif kind != TEXT and form == PLAIN:
        return DONE
    return _put_text(data, state, slots, entries, columns, texts, row, column, form, start, end)
