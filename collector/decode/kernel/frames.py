"""First pass: cuts the bodies into resources and records by their framing, as ``collector.decode.wire`` does.

It checks resources and never looks inside a record. A body ends at its first fault, of which it keeps the place.
"""

from __future__ import annotations

from collector.decode.kernel.arrays import (
    BAD_RESOURCE,
    BODIES,
    BODY_END,
    BODY_START,
    BROKEN,
    DONE,
    FAULT,
    FAULT_END,
    FAULT_START,
    FINE,
    FORM_BITS,
    FOUND,
    HAND_OVER,
    MAX_DEPTH,
    MORE_RECORDS,
    MORE_STRINGS,
    MOST_RECORDS,
    NEXT_BODY,
    OPAQUE,
    RECORD_BODY,
    RECORD_END,
    RECORD_RESOURCE,
    RECORD_START,
    RESOURCE,
    TOO_MANY,
    Bytes,
    Codes,
    Ints,
)
from collector.decode.kernel.check import is_message
from collector.decode.kernel.interning import FULL, intern
from collector.decode.kernel.jit import helper, inlined
from collector.decode.kernel.messages import RESOURCE as RESOURCE_MESSAGE
from collector.decode.kernel.text import hash_of
from collector.decode.kernel.wire import LENGTH, read_length, read_tag, skip

_FIRST_TAG, _SECOND_TAG = 1 << 3 | LENGTH, 2 << 3 | LENGTH


@helper
def _field(data: Bytes, stack: Ints, at: int, end: int) -> tuple[int, int, int]:
    """Tag of the field at ``at``, start and end of its value; an end of -1 when it is broken."""
    tag, start = read_tag(data, at, end)
    if start < 0 or tag < 8:
        return 0, at, -1
    if tag & 7 == LENGTH:
        inner, stop = read_length(data, start, end)
        return tag, inner, stop
    return tag, start, skip(data, stack, start, end, tag, MAX_DEPTH)


@inlined
def _scope(
    data: Bytes, stack: Ints, records: Ints, body: int, at: int, end: int, count: int, most: int
) -> tuple[int, int]:
    """How many records there are after those of the ScopeSpans or ScopeLogs at ``at``; -1 and where it broke."""
    while at < end:
        begun = at
        tag, start, at = _field(data, stack, at, end)
        if at < 0:
            return -1, begun
        if tag == _SECOND_TAG:
            if count < most:
                records[RECORD_START, count] = start
                records[RECORD_END, count] = at
                records[RECORD_BODY, count] = body
            count += 1
    return count, at


@helper
def _frame(
    data: Bytes, stack: Ints, records: Ints, body: int, at: int, end: int, first: int, most: int
) -> tuple[int, int, int, int]:
    """The same for a ResourceSpans or ResourceLogs, and start and end of its resource.

    The start is -1 for a resource in several pieces.
    """
    count = first
    resource, resource_end, pieces = at, at, 0
    while at < end:
        begun = at
        tag, start, at = _field(data, stack, at, end)
        if at < 0:
            return -1, begun, 0, 0
        if tag == _FIRST_TAG:
            resource, resource_end = start, at
            pieces += 1
        elif tag == _SECOND_TAG:
            count, broken = _scope(data, stack, records, body, start, at, count, most)
            if count < 0:
                return -1, broken, 0, 0
    return count, 0, resource if pieces < 2 else -1, resource_end


def find_records(
    data: Bytes,
    rules: Codes,
    stack: Ints,
    state: Ints,
    slots: Codes,
    entries: Ints,
    columns: Ints,
    bodies: Ints,
    records: Ints,
) -> int:
    """Fill ``records`` with those of the bodies up to ``BODIES``."""
    limit = state[MOST_RECORDS]
    room = records.shape[1]
    for body in range(state[NEXT_BODY], state[BODIES]):
        state[NEXT_BODY] = body
        first = count = state[FOUND]
        at, end = bodies[body, BODY_START], bodies[body, BODY_END]
        bodies[body, FAULT] = FINE
        while at < end:
            begun = at
            tag, start, at = _field(data, stack, at, end)
            if at < 0:
                bodies[body, FAULT], bodies[body, FAULT_START] = BROKEN, begun
                break
            if tag != _FIRST_TAG:
                continue
            found, broken, resource, resource_end = _frame(
                data, stack, records, body, start, at, count, min(room, first + limit)
            )
            if found < 0:
                bodies[body, FAULT], bodies[body, FAULT_START] = BROKEN, broken
                break
            if resource < 0:
                return HAND_OVER
            if resource_end > resource and not is_message(
                data, rules, stack, RESOURCE_MESSAGE, resource, resource_end, MAX_DEPTH
            ):
                bodies[body, FAULT] = BAD_RESOURCE
                bodies[body, FAULT_START], bodies[body, FAULT_END] = resource, resource_end
                break
            if found - first > limit:
                bodies[body, FAULT] = TOO_MANY
                break
            if found > room:
                return MORE_RECORDS
            if found > count:
                label = RESOURCE << FORM_BITS | OPAQUE
                text_hash, _ = hash_of(data, state, resource, resource_end, label)
                code = intern(data, state, slots, entries, columns, label, resource, resource_end, text_hash)
                if code < 0:
                    return MORE_STRINGS if code == FULL else HAND_OVER
                records[RECORD_RESOURCE, count:found] = code
            count = found
        if bodies[body, FAULT] == FINE:
            state[FOUND] = count
    state[NEXT_BODY] = state[BODIES]
    return DONE
