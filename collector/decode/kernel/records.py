"""Second pass: reads each record into a row of the arrays, or counts why it is refused.

Cells are written while a record is read. One that turns out bad leaves nothing behind: its row is cleared and the
columns and features that it brought are forgotten, as if it had not been there.
"""

from __future__ import annotations

import numpy as np

from collector.decode.kernel.arrays import (
    ACCEPTED,
    BROKEN_RECORD,
    DONE,
    ENDED,
    EVENT_AT,
    EVENT_END,
    FEATURES,
    FEATURES_BEFORE,
    FIRST_FEATURE,
    FORM_BITS,
    FOUND,
    HAND_OVER,
    HAS_BODY,
    IGNORED,
    IGNORED_HERE,
    IS_SPAN,
    KEY_SLOT,
    MALFORMED,
    MAX_DEPTH,
    MORE_STRINGS,
    NAME,
    NAME_AT,
    NAME_CODE,
    NAME_END,
    NEXT_RECORD,
    NOW,
    NUMBER_PLACE,
    NUMBERS,
    NUMBERS_BEFORE,
    OBSERVED,
    PARENT_AT,
    PARENT_END,
    PARENT_SPAN_ID,
    PLAIN,
    RAW_END,
    RAW_START,
    REASONS,
    REASONS_FROM,
    RECORD_BODY,
    RECORD_END,
    RECORD_PART,
    RECORD_RESOURCE,
    RECORD_START,
    REFUSED,
    ROLES,
    ROW_BODY,
    ROW_RESOURCE,
    SPAN_AT,
    SPAN_END,
    SPAN_ID,
    START,
    STARTED,
    STATUS_CODE,
    STATUS_ERROR,
    TAGS,
    TEXT_PLACE,
    TEXTS,
    TEXTS_BEFORE,
    TIME,
    TRACE_AT,
    TRACE_END,
    TRACE_ID,
    TRACE_ID_REST,
    VECTOR_LENGTH,
    VECTORS,
    VECTORS_BEFORE,
    Bytes,
    Codes,
    Floats,
    Ints,
)
from collector.decode.kernel.attributes import read_attribute
from collector.decode.kernel.check import field_end, is_message
from collector.decode.kernel.faults import log_fault, span_fault, status_code
from collector.decode.kernel.interning import FULL, intern
from collector.decode.kernel.jit import inlined, signed, word_at
from collector.decode.kernel.messages import LOG, SPAN
from collector.decode.kernel.messages import STATUS as STATUS_MESSAGE
from collector.decode.kernel.roles import ATTRIBUTE, BODY, FIXED32_FIELD, NO_ROLE, STATUS, TIMES, VARINT_FIELD
from collector.decode.kernel.text import hash_of, is_utf8
from collector.decode.kernel.wire import read_length, read_tag, read_varint

_ERROR = 2
"""Status.STATUS_CODE_ERROR."""


@inlined
def _read_fields(
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
    at: int,
    stop: int,
    row: int,
) -> int:
    """Read the record in ``data[at:stop]``: attributes into the cells of ``row``, the rest into ``state``."""
    message = SPAN if state[IS_SPAN] != 0 else LOG
    place = 0
    while at < stop:
        tag, at = read_tag(data, at, stop)
        if at < 0 or tag < 8:
            return MALFORMED
        role = state[ROLES + tag] if tag < TAGS else NO_ROLE
        if role >= TIMES:
            if at + 8 > stop:
                return MALFORMED
            state[role] = signed(word_at(data, at))
            at += 8
            continue
        if role == VARINT_FIELD:
            _, at = read_varint(data, at, stop)
            if at < 0:
                return MALFORMED
            continue
        if role == FIXED32_FIELD:
            at += 4
            if at > stop:
                return MALFORMED
            continue
        if role == NO_ROLE or role == BODY:
            at = field_end(data, rules, stack, message, tag, at, stop, MAX_DEPTH)
            if at < 0:
                return MALFORMED
            state[HAS_BODY] |= role
            continue
        start, at = read_length(data, at, stop)
        if at < 0:
            return MALFORMED
        if role == ATTRIBUTE:
            outcome = read_attribute(
                data, rules, stack, state, slots, entries, key_slots, columns, recent, rows, texts, numbers,
                row, place, start, at,
            )  # fmt: skip
            if outcome != DONE:
                return outcome
            place += 1
        elif role == STATUS:
            if start == at:
                continue
            if not is_message(data, rules, stack, STATUS_MESSAGE, start, at, MAX_DEPTH - 1):
                return MALFORMED
            state[STATUS_CODE] = status_code(data, stack, start, at, state[STATUS_CODE])
        else:
            state[role], state[role + 1] = start, at
            if role == NAME_AT and not is_utf8(data, start, at):
                return MALFORMED
    return DONE


@inlined
def _accept(data: Bytes, state: Ints, slots: Codes, entries: Ints, columns: Ints, rows: Ints, row: int) -> int:
    """Make the record at hand the ``row``, unless it is to be refused."""
    if state[IS_SPAN] != 0:
        fault = span_fault(data, state)
    else:
        fault = log_fault(state)
        if state[ENDED] == 0:
            state[ENDED] = state[OBSERVED] if state[OBSERVED] != 0 else state[NOW]
        state[STARTED] = state[ENDED]
        if state[NAME_END] == state[NAME_AT]:
            state[NAME_AT], state[NAME_END] = state[EVENT_AT], state[EVENT_END]
    if fault != REASONS:
        return REFUSED + fault
    code = -1
    if state[NAME_END] > state[NAME_AT]:
        label = NAME << FORM_BITS | PLAIN
        text_hash, _ = hash_of(data, state, state[NAME_AT], state[NAME_END], label)
        code = intern(data, state, slots, entries, columns, label, state[NAME_AT], state[NAME_END], text_hash)
        if code < 0:
            return MORE_STRINGS if code == FULL else HAND_OVER
    trace, span, parent = state[TRACE_AT], state[SPAN_AT], state[PARENT_AT]
    rows[TIME, row] = state[ENDED]
    rows[START, row] = state[STARTED]
    rows[TRACE_ID, row] = signed(word_at(data, trace)) if state[TRACE_END] > trace else 0
    rows[TRACE_ID_REST, row] = signed(word_at(data, trace + 8)) if state[TRACE_END] > trace else 0
    rows[SPAN_ID, row] = signed(word_at(data, span)) if state[SPAN_END] > span else 0
    rows[PARENT_SPAN_ID, row] = signed(word_at(data, parent)) if state[PARENT_END] > parent else 0
    rows[NAME_CODE, row] = code
    rows[STATUS_ERROR, row] = 1 if state[STATUS_CODE] == _ERROR else 0
    return DONE


@inlined
def _undo(state: Ints, key_slots: Codes, columns: Ints, recent: Ints, texts: Codes, numbers: Floats, row: int) -> None:
    """Clear what a record left in ``row``, its columns and its features."""
    for place in range(state[TEXTS]):
        texts[place, row] = -1
    for place in range(state[NUMBERS]):
        numbers[place, row] = np.nan
    if state[TEXTS] > state[TEXTS_BEFORE] or state[NUMBERS] > state[NUMBERS_BEFORE]:
        for column in range(len(columns)):
            if columns[column, TEXT_PLACE] >= state[TEXTS_BEFORE]:
                columns[column, TEXT_PLACE] = -1
            if columns[column, NUMBER_PLACE] >= state[NUMBERS_BEFORE]:
                columns[column, NUMBER_PLACE] = -1
    if state[FEATURES] > state[FEATURES_BEFORE]:
        for place in range(len(recent)):
            recent[place, 1] = -1
    for feature in range(state[FEATURES] - 1, state[FEATURES_BEFORE] - 1, -1):
        key_slots[columns[state[FIRST_FEATURE] + feature, KEY_SLOT]] = -1
    state[TEXTS] = state[TEXTS_BEFORE]
    state[NUMBERS] = state[NUMBERS_BEFORE]
    state[FEATURES] = state[FEATURES_BEFORE]
    state[VECTORS] = state[VECTORS_BEFORE]


def read_records(
    data: Bytes,
    rules: Codes,
    stack: Ints,
    state: Ints,
    slots: Codes,
    entries: Ints,
    key_slots: Codes,
    columns: Ints,
    recent: Ints,
    bodies: Ints,
    records: Ints,
    rows: Ints,
    texts: Codes,
    numbers: Floats,
) -> int:
    """Fill ``rows``, ``texts`` and ``numbers`` from ``records``, and the counts in ``bodies``."""
    for index in range(state[NEXT_RECORD], state[FOUND]):
        row = state[ACCEPTED]
        state[NEXT_RECORD] = index
        state[TEXTS_BEFORE] = state[TEXTS]
        state[NUMBERS_BEFORE] = state[NUMBERS]
        state[FEATURES_BEFORE] = state[FEATURES]
        state[VECTORS_BEFORE] = state[VECTORS]
        for part in range(RECORD_PART, ROLES):
            state[part] = 0
        rows[VECTOR_LENGTH, row] = 0
        begin, stop, body = records[RECORD_START, index], records[RECORD_END, index], records[RECORD_BODY, index]
        result = _read_fields(
            data, rules, stack, state, slots, entries, key_slots, columns, recent, rows, texts, numbers,
            begin, stop, row,
        )  # fmt: skip
        if result == DONE:
            result = _accept(data, state, slots, entries, columns, rows, row)
        if result == DONE:
            rows[ROW_BODY, row] = body
            rows[ROW_RESOURCE, row] = records[RECORD_RESOURCE, index]
            rows[RAW_START, row] = begin
            rows[RAW_END, row] = stop
            state[ACCEPTED] = row + 1
            bodies[body, IGNORED] += state[IGNORED_HERE]
            continue
        _undo(state, key_slots, columns, recent, texts, numbers, row)
        if result < MALFORMED:
            return result
        bodies[body, REASONS_FROM + (BROKEN_RECORD if result == MALFORMED else result - REFUSED)] += 1
    state[NEXT_RECORD] = state[FOUND]
    return DONE
