"""What an AnyValue or a KeyValue that was found well formed holds: kind and place; it makes no Python object.

The last member of a oneof counts, also across several ``value`` fields of one KeyValue, which are one message.
"""

from __future__ import annotations

import numpy as np

from collector.decode.kernel.arrays import (
    MAX_DEPTH,
    Bytes,
    Codes,
    Ints,
    constants,
)
from collector.decode.kernel.check import rule_of
from collector.decode.kernel.jit import helper, signed, word_at
from collector.decode.kernel.messages import ANY_VALUE, UNKNOWN
from collector.decode.kernel.wire import read_length, read_tag, read_varint, skip

NOTHING, TEXT, BOOL, INT, DOUBLE, ARRAY, KVLIST, OTHER, MERGED = range(9)
"""Kinds of a value. ``MERGED`` is an array or list in several pieces, which the kernel does not put together."""

_TEXT_TAG, _BOOL_TAG, _INT_TAG, _DOUBLE_TAG, _ARRAY_TAG, _KVLIST_TAG = 0x0A, 0x10, 0x18, 0x21, 0x2A, 0x32
_KEY_TAG, _VALUE_TAG = 0x0A, 0x12
_ITEM_TAG = 0x0A

Value = tuple[int, int, int]
"""Kind, then start and end of a text, array or list; the number of a BOOL or INT, the place of a DOUBLE."""

_NONE = constants(1)[0]
NO_VALUE = (_NONE, _NONE, _NONE)  # NOTHING is 0


@helper
def value_at(data: Bytes, rules: Codes, stack: Ints, at: int, end: int, before: Value) -> Value:
    """The value in ``data[at:end]``, merged into the one ``before`` it."""
    kind, first, last = before
    while at < end:
        tag, at = read_tag(data, at, end)
        if tag == _BOOL_TAG or tag == _INT_TAG:
            number, at = read_varint(data, at, end)
            kind, first = BOOL if tag == _BOOL_TAG else INT, signed(number)
        elif tag == _DOUBLE_TAG:
            kind, first = DOUBLE, at
            at += 8
        elif tag == _TEXT_TAG or tag == _ARRAY_TAG or tag == _KVLIST_TAG:
            start, at = read_length(data, at, end)
            found = TEXT if tag == _TEXT_TAG else ARRAY if tag == _ARRAY_TAG else KVLIST
            if (found != TEXT and kind == found) or kind == MERGED:
                found = MERGED if found != TEXT else TEXT
            kind, first, last = found, start, at
        else:
            if rule_of(rules, ANY_VALUE, tag) != UNKNOWN:
                kind = OTHER
            at = skip(data, stack, at, end, tag, MAX_DEPTH)
    return kind, first, last


@helper
def pair_at(data: Bytes, rules: Codes, stack: Ints, at: int, end: int) -> tuple[int, int, Value]:
    """Start and end of the key, and the value, of the KeyValue in ``data[at:end]``."""
    key, key_end = at, at
    value = NO_VALUE
    while at < end:
        tag, at = read_tag(data, at, end)
        if tag == _KEY_TAG:
            key, key_end = read_length(data, at, end)
            at = key_end
        elif tag == _VALUE_TAG:
            start, at = read_length(data, at, end)
            value = value_at(data, rules, stack, start, at, value)
        else:
            at = skip(data, stack, at, end, tag, MAX_DEPTH)
    return key, key_end, value


@helper
def next_item(data: Bytes, rules: Codes, stack: Ints, at: int, end: int) -> tuple[int, Value]:
    """The next item of the ArrayValue whose rest is ``data[at:end]``, and the place after it; -1 when none is left."""
    while at < end:
        tag, at = read_tag(data, at, end)
        if tag == _ITEM_TAG:
            start, at = read_length(data, at, end)
            return at, value_at(data, rules, stack, start, at, NO_VALUE)
        at = skip(data, stack, at, end, tag, MAX_DEPTH)
    return -1, NO_VALUE


@helper
def number_of(data: Bytes, value: Value) -> float:
    """The number of an INT or DOUBLE."""
    if value[0] == INT:
        return float(value[1])
    return np.uint64(word_at(data, value[1])).view(np.float64)
