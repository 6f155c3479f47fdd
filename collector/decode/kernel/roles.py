"""What the fields of a span and of a log record are to the kernel; a field without a role is only checked."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.decode.kernel.arrays import ENDED, NAME_AT, OBSERVED, PARENT_AT, SPAN_AT, STARTED, TRACE_AT
from telemetry.columns import Signal

NO_ROLE, BODY, ATTRIBUTE, STATUS, PLACES = range(5)
"""Roles; from ``PLACES`` on a role is the index in ``state`` where the field's place, and behind it its end, is kept,
and from ``TIMES`` on the one where its 8 bytes are kept."""

TIMES: Final = STARTED

_FIXED64, _LENGTH = 1, 2
_TAGS: Final[dict[Signal, dict[int, int]]] = {
    "span": {
        1 << 3 | _LENGTH: TRACE_AT,
        2 << 3 | _LENGTH: SPAN_AT,
        4 << 3 | _LENGTH: PARENT_AT,
        5 << 3 | _LENGTH: NAME_AT,
        7 << 3 | _FIXED64: STARTED,
        8 << 3 | _FIXED64: ENDED,
        9 << 3 | _LENGTH: ATTRIBUTE,
        15 << 3 | _LENGTH: STATUS,
    },
    "log": {
        1 << 3 | _FIXED64: ENDED,
        5 << 3 | _LENGTH: BODY,
        6 << 3 | _LENGTH: ATTRIBUTE,
        9 << 3 | _LENGTH: TRACE_AT,
        10 << 3 | _LENGTH: SPAN_AT,
        11 << 3 | _FIXED64: OBSERVED,
        12 << 3 | _LENGTH: NAME_AT,
    },
}


def _table(signal: Signal) -> NDArray[np.int64]:
    table = np.full(128, NO_ROLE, dtype=np.int64)
    for tag, role in _TAGS[signal].items():
        table[tag] = role
    return table


ROLES_OF: Final = MappingProxyType({signal: _table(signal) for signal in _TAGS})
"""(128,) each: the role of every tag of one byte; all fields with a role have one."""
