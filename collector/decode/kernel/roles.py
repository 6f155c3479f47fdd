"""What the fields of a span and of a log record are to the kernel; a field without a role is only checked."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.decode.kernel.arrays import ENDED, NAME_AT, OBSERVED, PARENT_AT, SPAN_AT, STARTED, TAGS, TRACE_AT
from telemetry.columns import Signal

NO_ROLE, BODY, VARINT_FIELD, FIXED32_FIELD, ATTRIBUTE, STATUS = range(6)
"""Roles; the numbers are passed over. A role beyond these is the index in ``state`` where the field's place, and behind
it its end, is kept, or from ``TIMES`` on where its 8 bytes are kept."""

TIMES: Final = STARTED

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_TAGS: Final[dict[Signal, dict[int, int]]] = {
    "span": {
        1 << 3 | _LENGTH: TRACE_AT,
        2 << 3 | _LENGTH: SPAN_AT,
        4 << 3 | _LENGTH: PARENT_AT,
        5 << 3 | _LENGTH: NAME_AT,
        6 << 3 | _VARINT: VARINT_FIELD,
        7 << 3 | _FIXED64: STARTED,
        8 << 3 | _FIXED64: ENDED,
        9 << 3 | _LENGTH: ATTRIBUTE,
        10 << 3 | _VARINT: VARINT_FIELD,
        15 << 3 | _LENGTH: STATUS,
        16 << 3 | _FIXED32: FIXED32_FIELD,
    },
    "log": {
        1 << 3 | _FIXED64: ENDED,
        2 << 3 | _VARINT: VARINT_FIELD,
        5 << 3 | _LENGTH: BODY,
        6 << 3 | _LENGTH: ATTRIBUTE,
        7 << 3 | _VARINT: VARINT_FIELD,
        8 << 3 | _FIXED32: FIXED32_FIELD,
        9 << 3 | _LENGTH: TRACE_AT,
        10 << 3 | _LENGTH: SPAN_AT,
        11 << 3 | _FIXED64: OBSERVED,
        12 << 3 | _LENGTH: NAME_AT,
    },
}


def _table(signal: Signal) -> NDArray[np.int64]:
    table = np.full(TAGS, NO_ROLE, dtype=np.int64)
    for tag, role in _TAGS[signal].items():
        table[tag] = role
    return table


ROLES_OF: Final = MappingProxyType({signal: _table(signal) for signal in _TAGS})
"""(``TAGS``,) each: the role of every tag below it; all fields with a role have one."""
