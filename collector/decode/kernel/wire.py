"""Tags, varints and lengths, read exactly as strictly as the protobuf library (upb) reads them.

A position of -1 stands for broken bytes. Tags and lengths take at most 5 bytes, values at most 10; groups may nest
as deep as messages; inside of an unknown group field number 0 passes.
Source: https://protobuf.dev/programming-guides/encoding/, and upb/wire/reader.h for what is refused.
"""

from __future__ import annotations

import numpy as np

from collector.decode.kernel.arrays import Bytes, Ints
from collector.decode.kernel.jit import helper, inlined, signed

VARINT, FIXED64, LENGTH, GROUP_START, GROUP_END, FIXED32 = range(6)

_MAX_TAG = 0xFFFF_FFFF
_MAX_LENGTH = 0x7FFF_FFFF


@helper
def _long_varint(data: Bytes, at: int, end: int, most: int) -> tuple[np.uint64, int]:
    value = np.uint64(0)
    for place in range(most):
        if at >= end:
            break
        byte = np.uint64(data[at])
        at += 1
        value |= (byte & np.uint64(0x7F)) << np.uint64(7 * place)
        if byte < np.uint64(0x80):
            return value, at
    return np.uint64(0), -1


@inlined
def read_varint(data: Bytes, at: int, end: int) -> tuple[np.uint64, int]:
    """The number at ``at``, and the place after it."""
    if at < end and data[at] < 0x80:
        return np.uint64(data[at]), at + 1
    return _long_varint(data, at, end, 10)


@inlined
def read_tag(data: Bytes, at: int, end: int) -> tuple[int, int]:
    """The tag at ``at`` (field number and wire type), and the place after it."""
    if at < end and data[at] < 0x80:
        return signed(data[at]), at + 1
    value, at = _long_varint(data, at, end, 5)
    if value > np.uint64(_MAX_TAG):
        return 0, -1
    return signed(value), at


@inlined
def read_length(data: Bytes, at: int, end: int) -> tuple[int, int]:
    """Start and end of what the length at ``at`` announces; it lies before ``end``."""
    if at < end and data[at] < 0x80:
        start = at + 1
        length = signed(data[at])
    else:
        value, start = _long_varint(data, at, end, 5)
        if value > np.uint64(_MAX_LENGTH):
            return -1, -1
        length = signed(value)
    if start < 0 or start + length > end:
        return -1, -1
    return start, start + length


@helper
def skip(data: Bytes, stack: Ints, at: int, end: int, tag: int, depth: int) -> int:
    """The place after the value of ``tag``, of a field that nobody knows; groups may open ``depth`` levels."""
    level = 0
    while True:
        wire_type = tag & 7
        if wire_type == VARINT:
            _, at = read_varint(data, at, end)
        elif wire_type == LENGTH:
            _, at = read_length(data, at, end)
        elif wire_type == FIXED64:
            at += 8
        elif wire_type == FIXED32:
            at += 4
        elif wire_type == GROUP_START and level < depth:
            stack[level, 2] = tag >> 3
            level += 1
        elif wire_type == GROUP_END and level > 0 and stack[level - 1, 2] == tag >> 3:
            level -= 1
        else:
            return -1
        if at < 0 or at > end:
            return -1
        if level == 0:
            return at
        tag, at = read_tag(data, at, end)
        if at < 0:
            return -1
