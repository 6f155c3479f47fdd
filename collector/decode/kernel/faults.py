"""Whether a record can be used, as ``collector.decode.validity`` says; and the code of a span's status."""

from __future__ import annotations

import numpy as np

from collector.decode.kernel.arrays import (
    BAD_PARENT_SPAN_ID,
    BAD_SPAN_ID,
    BAD_TRACE_ID,
    EMPTY,
    END_BEFORE_START,
    ENDED,
    HAS_BODY,
    IN_FUTURE,
    LATEST,
    MAX_DEPTH,
    NAME_AT,
    NAME_END,
    NO_TIME,
    OBSERVED,
    PARENT_AT,
    PARENT_END,
    REASONS,
    SPAN_AT,
    SPAN_END,
    STARTED,
    TRACE_AT,
    TRACE_END,
    Bytes,
    Ints,
)
from collector.decode.kernel.jit import helper, inlined, signed, word_at
from collector.decode.kernel.wire import VARINT, read_tag, read_varint, skip

_CODE_TAG = 3 << 3 | VARINT


@helper
def status_code(data: Bytes, stack: Ints, at: int, end: int, code: int) -> int:
    """The code of the well-formed Status in ``data[at:end]``, ``code`` when it has none."""
    while at < end:
        tag, at = read_tag(data, at, end)
        if tag == _CODE_TAG:
            number, at = read_varint(data, at, end)
            code = signed(number & np.uint64(0xFFFF_FFFF))
        else:
            at = skip(data, stack, at, end, tag, MAX_DEPTH)
    return code


@inlined
def span_fault(data: Bytes, state: Ints) -> int:
    """Why the span at hand is refused; ``REASONS`` when it is fine."""
    trace, span = state[TRACE_AT], state[SPAN_AT]
    parent_length = state[PARENT_END] - state[PARENT_AT]
    start, end = np.uint64(state[STARTED]), np.uint64(state[ENDED])
    if state[TRACE_END] - trace != 16 or (
        word_at(data, trace) == np.uint64(0) and word_at(data, trace + 8) == np.uint64(0)
    ):
        return BAD_TRACE_ID
    if state[SPAN_END] - span != 8 or word_at(data, span) == np.uint64(0):
        return BAD_SPAN_ID
    if parent_length != 0 and parent_length != 8:
        return BAD_PARENT_SPAN_ID
    if start == np.uint64(0) or end == np.uint64(0):
        return NO_TIME
    if end < start:
        return END_BEFORE_START
    return IN_FUTURE if end > np.uint64(state[LATEST]) else REASONS


@inlined
def log_fault(state: Ints) -> int:
    """Why the log record at hand is refused; ``REASONS`` when it is fine."""
    trace_length, span_length = state[TRACE_END] - state[TRACE_AT], state[SPAN_END] - state[SPAN_AT]
    if trace_length != 0 and trace_length != 16:
        return BAD_TRACE_ID
    if span_length != 0 and span_length != 8:
        return BAD_SPAN_ID
    time = np.uint64(state[ENDED] if state[ENDED] != 0 else state[OBSERVED])
    if time == np.uint64(0) and state[HAS_BODY] == 0 and state[NAME_END] == state[NAME_AT]:
        return EMPTY
    return IN_FUTURE if time > np.uint64(state[LATEST]) else REASONS
