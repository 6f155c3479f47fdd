"""Byte strings as text: whether they are UTF-8, whether two are equal, and their hash under a secret seed."""

from __future__ import annotations

import numpy as np

from collector.decode.kernel.arrays import OTHER_SEED, SEED, Bytes, Ints
from collector.decode.kernel.jit import fold, helper, inlined, word_at

_HIGH_BITS = np.uint64(0x8080_8080_8080_8080)
_ALL = np.uint64(0xFFFF_FFFF_FFFF_FFFF)


@inlined
def _tail(word: np.uint64, length: int) -> np.uint64:
    """The first ``length`` (1 to 7) bytes of ``word``."""
    return word & (_ALL >> np.uint64(64 - 8 * length))


@helper
def _is_long_utf8(data: Bytes, at: int, end: int) -> bool:
    """Unicode 15, table 3-7: no overlong forms, no surrogates, nothing beyond U+10FFFF."""
    while at < end:
        first = data[at]
        if first < 0x80:
            at += 1
            continue
        low, high = 0x80, 0xBF
        if 0xC2 <= first <= 0xDF:
            more = 1
        elif 0xE0 <= first <= 0xEF:
            more = 2
            low = 0xA0 if first == 0xE0 else low
            high = 0x9F if first == 0xED else high
        elif 0xF0 <= first <= 0xF4:
            more = 3
            low = 0x90 if first == 0xF0 else low
            high = 0x8F if first == 0xF4 else high
        else:
            return False
        if at + more >= end or data[at + 1] < low or data[at + 1] > high:
            return False
        for place in range(at + 2, at + more + 1):
            if data[place] & 0xC0 != 0x80:
                return False
        at += more + 1
    return True


@inlined
def is_utf8(data: Bytes, at: int, end: int) -> bool:
    """Whether ``data[at:end]`` is UTF-8."""
    seen = np.uint64(0)
    place = at
    while end - place >= 8:
        seen |= word_at(data, place)
        place += 8
    if place < end:
        seen |= _tail(word_at(data, place), end - place)
    return seen & _HIGH_BITS == np.uint64(0) or _is_long_utf8(data, at, end)


@inlined
def are_equal(data: Bytes, one: int, other: int, length: int) -> bool:
    """Whether ``length`` bytes at ``one`` and at ``other`` are the same."""
    while length >= 8:
        if word_at(data, one) != word_at(data, other):
            return False
        one += 8
        other += 8
        length -= 8
    return length == 0 or _tail(word_at(data, one) ^ word_at(data, other), length) == np.uint64(0)


@inlined
def hash_of(data: Bytes, state: Ints, at: int, end: int, label: int) -> tuple[np.uint64, bool]:
    """The hash of a byte string under a ``label``, and whether the string is ASCII.

    Multiply and fold, as in wyhash (https://github.com/wangyi-fudan/wyhash): who does not know the two secret
    seeds in ``state`` cannot choose strings that collide; should one succeed, the bounded probes of the tables end it.
    """
    seed = np.uint64(state[OTHER_SEED])
    result = np.uint64(state[SEED]) ^ np.uint64(label << 32 | (end - at))
    seen = np.uint64(0)
    while end - at >= 8:
        word = word_at(data, at)
        seen |= word
        result = fold(result ^ word, seed)
        at += 8
    if at < end:
        word = _tail(word_at(data, at), end - at)
        seen |= word
        result = fold(result ^ word, seed)
    return fold(result ^ seed, np.uint64(state[SEED])), seen & _HIGH_BITS == np.uint64(0)
