"""The arrays that the kernel works on, and what their rows mean; Python allocates and enlarges them.

They are few and plain, and passed one by one: Numba compiles a function of a structure of forty arrays in a minute.

- ``data``: constant texts (see :mod:`collector.decode.kernel.keys`), the bodies, 8 bytes of padding.
- ``rules``: see :func:`collector.decode.kernel.messages.rules`.
- ``stack``: (levels, 3) scratch space: end, message and group of the enclosing levels.
- ``state``: int64, ``STATE`` of them: limits, where the work stands, what was seen of the record at hand.
- ``slots``, ``entries``: distinct strings of each column in a hash table with open addressing: int32 index or -1,
  at most half of them used, and (room, ``ENTRY``) int64.
- ``key_slots``, ``columns``: the same for attribute names: int32 column or -1, and (columns, ``COLUMN``) int64.
- ``recent``: (m, 3) start, length and column of the key at each place of the record before.
- ``bodies``: (bodies, ``BODY``) int64.
- ``records``: (``RECORD``, m) int64.
- ``rows``: (``ROW``, n) int64, and the cells of the columns in use: ``texts`` (columns, n) int32 codes, -1 where
  missing, ``numbers`` (columns, n) float64, NaN where missing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]
Codes = NDArray[np.int32]
Floats = NDArray[np.float64]


def constants(count: int) -> tuple[int, ...]:
    """0, 1, 2 and so on, as numbers of a type that Numba does not compile a function anew for."""
    return tuple(np.arange(count, dtype=np.int64))


TRUE, FALSE = b"true", b"false"
"""The buffer begins with these texts, so that a boolean is a text like any other."""

PADDING = bytes(8)
"""Behind every buffer, so that a word can be read at each of its bytes."""

MAX_DEPTH = constants(101)[100]
"""Messages and groups within each other, below a record; a level of ``stack`` each."""

SEPARATOR = "\x1f"
"""Between joined strings; whoever splits counts, because senders may write it, too."""

DONE, MORE_RECORDS, MORE_STRINGS, MORE_TEXTS, MORE_NUMBERS, HAND_OVER, MALFORMED, PLAIN_CELL, REFUSED = range(9)
"""How a compiled function ends. With ``MORE_...`` it goes on where it stood, once the arrays were enlarged;
``HAND_OVER`` is for the protobuf library. The rest stays inside: the record is not well formed, go on with its cell,
and from ``REFUSED`` on refused for the reason that follows."""

NAME, RESOURCE, EVENT, EMBEDDING = constants(4)
"""Columns; the wanted attributes and after them the features follow. The first two have no attribute."""

(SEED, OTHER_SEED, MOST_RECORDS, IS_SPAN, NOW, LATEST, IS_ALONE, FIRST_FEATURE, KEEPS_EVENT,
 BODIES, NEXT_BODY, FOUND, NEXT_RECORD, ACCEPTED, STRINGS, FEATURES, TEXTS, NUMBERS, VECTORS,
 TEXTS_CLEARED, NUMBERS_CLEARED, FEATURES_BEFORE, TEXTS_BEFORE, NUMBERS_BEFORE, VECTORS_BEFORE,
 HAS_EVENT, EVENT_AT, EVENT_END, HAS_BODY, STATUS_CODE, IGNORED_HERE,
 TRACE_AT, TRACE_END, SPAN_AT, SPAN_END, PARENT_AT, PARENT_END, NAME_AT, NAME_END, STARTED, ENDED, OBSERVED,
 ROLES) = range(43)  # fmt: skip
"""``state``, in four parts.

Limits: seeds of the hashes; records that a body may hold, whether they are spans, our time and the latest one that
is believed; whether there is one body only, the first feature's column, whether the old event name is also wanted as
an attribute.

Where the work stands: bodies that are ready to be read, bodies cut and records found in those, records read, and
accepted in all; strings, features, columns and embeddings in use; columns that were ever cleared; and again what was
in use before the record at hand.

The record at hand: whether it has the old event name, and its place; whether it has a body; its status; how many of
its values are ignored; places of its ids and its name; its times, in ns.

``TAGS`` roles, see :mod:`collector.decode.kernel.roles`."""

RECORD_PART = HAS_EVENT
TAGS = 256
STATE = ROLES + TAGS

ENTRY_HASH, ENTRY_LABEL, ENTRY_START, ENTRY_END, ENTRY_CODE, ENTRY = range(6)
"""``entries``: hash, label, place, and code within the column. A label is a column, and in its last bits a form."""

PLAIN, OF_ARRAY, OF_KVLIST, OPAQUE = constants(4)
FORM_BITS = 2
"""Forms of a string: a text, the JSON text of the array or list whose bytes it is, or bytes that are no text."""

KEY_HASH, KEY_START, KEY_END, KEY_SLOT, TEXT_PLACE, NUMBER_PLACE, CODES, HAS_STRUCTURES, COLUMN = range(9)
"""``columns``: the key's hash, place and slot; which row of ``texts`` and of ``numbers`` is the column's, -1 while
there is none; codes given so far, and whether one is the text of an array or list."""

BODY_START, BODY_END, FAULT, FAULT_START, FAULT_END, IGNORED, REASONS_FROM = range(7)
"""``bodies``: place; what is wrong with it, and where; values ignored; records refused by reason."""

FINE, BROKEN, BAD_RESOURCE, TOO_MANY = range(4)
"""What may be wrong with a body."""

(BAD_TRACE_ID, BAD_SPAN_ID, BAD_PARENT_SPAN_ID, NO_TIME, END_BEFORE_START, IN_FUTURE, EMPTY, BROKEN_RECORD,
 REASONS) = range(9)  # fmt: skip
"""Why a record is refused."""

BODY = REASONS_FROM + REASONS

RECORD_START, RECORD_END, RECORD_RESOURCE, RECORD_BODY, RECORD = range(5)
"""``records``: place, code of the resource, number of the body."""

(TIME, START, TRACE_ID, TRACE_ID_REST, SPAN_ID, PARENT_SPAN_ID, NAME_CODE, STATUS_ERROR, ROW_BODY, ROW_RESOURCE,
 RAW_START, RAW_END, VECTOR_START, VECTOR_END, VECTOR_LENGTH, ROW) = range(16)  # fmt: skip
"""``rows``: see :class:`collector.decode.raw_columns.RawColumns`; a vector length of 0 is no embedding."""
