"""One batch on its way through the compiled functions: the arrays that they fill, enlarged whenever they are full."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from collector.decode.decoder import Task
from collector.decode.kernel.arrays import (
    ALL_COLUMNS,
    ALLOWED_COLUMNS,
    BODY,
    BODY_END,
    BODY_START,
    DONE,
    ENTRY,
    FIRST_FEATURE,
    FOUND,
    IS_SPAN,
    KEEPS_EVENT,
    LATEST,
    MORE_NUMBERS,
    MORE_RECORDS,
    MORE_STRINGS,
    MORE_TEXTS,
    MOST_RECORDS,
    NOW,
    OTHER_SEED,
    RECORD,
    ROLES,
    ROW,
    SEED,
    STATE,
    STRINGS,
)
from collector.decode.kernel.jit import Codes, Floats, Ints
from collector.decode.kernel.keys import Keys
from collector.decode.kernel.program import PADDING, Program, words_of
from collector.decode.kernel.roles import ROLES_OF
from collector.decode.kernel.wire import MAX_DEPTH

_STRINGS: Final = 512
_COLUMNS: Final = 16
_REMEMBERED_KEYS: Final = 64
_RECORDS: Final = 16
"""Room at the start: what a batch of ordinary requests needs."""

_SHORT_RECORD: Final = 128
"""Bytes; as many records as a batch of shorter ones may hold are rarely sent."""


_Number = TypeVar("_Number", bound=np.generic)


class Scan:
    """The arrays of one batch, see :mod:`collector.decode.kernel.arrays`.

    Attributes:
        buffer: the bytes behind ``data``, to slice and to keep.
    """

    def __init__(self, program: Program, keys: Keys, bodies: Sequence[bytes], task: Task) -> None:
        self.program = program
        self.buffer = b"".join((keys.constants, *bodies, PADDING))
        self.data, self.words = np.frombuffer(self.buffer, dtype=np.uint8), words_of(self.buffer)
        lengths = np.asarray([len(body) for body in bodies], dtype=np.int64)
        self.bodies = np.zeros((len(bodies), BODY), dtype=np.int64)
        self.bodies[:, BODY_END] = np.cumsum(lengths) + len(keys.constants)
        self.bodies[:, BODY_START] = self.bodies[:, BODY_END] - lengths
        self.stack = np.empty((MAX_DEPTH + 1, 3), dtype=np.int64)
        self.state = _state(program, keys, task)
        self.key_slots, self.columns = keys.slots.copy(), keys.columns.copy()
        self.recent = np.full((_REMEMBERED_KEYS, 3), -1, dtype=np.int64)
        self.slots = np.full(2 * _STRINGS, -1, dtype=np.int32)
        self.entries: Ints = np.empty((_STRINGS, ENTRY), dtype=np.int64)
        self.records: Ints = np.empty((RECORD, _RECORDS + len(self.buffer) // _SHORT_RECORD), dtype=np.int64)
        self.rows: Ints = np.empty((ROW, 0), dtype=np.int64)
        self.texts: Codes = np.empty((_COLUMNS, 0), dtype=np.int32)
        self.numbers: Floats = np.empty((_COLUMNS, 0), dtype=np.float64)

    def run(self, cells: int) -> bool:
        """Fill the arrays; False when the batch has to be handed over."""
        outcome = self._find_records()
        while outcome in (MORE_RECORDS, MORE_STRINGS):
            outcome = self._find_records()
        if outcome != DONE:
            return False
        n = int(self.state[FOUND])
        allowed = int(self.state[FIRST_FEATURE]) + cells // max(n, 1)
        if len(self.bodies) > 1:  # it may be another body that fills the limit
            allowed = min(allowed, len(self.columns))
            self.state[ALL_COLUMNS] = allowed + 1
        self.state[ALLOWED_COLUMNS] = allowed
        self.rows = np.empty((ROW, n), dtype=np.int64)
        self.texts = np.empty((_COLUMNS, n), dtype=np.int32)
        self.numbers = np.empty((_COLUMNS, n), dtype=np.float64)
        outcome = self._read_records()
        while outcome in (MORE_STRINGS, MORE_TEXTS, MORE_NUMBERS):
            outcome = self._read_records()
        return outcome == DONE

    def read_vectors(self, n: int, dimensions: int) -> NDArray[np.float32]:
        """(n, dimensions): the embeddings of that length, NaN in the rows that have none."""
        matrix = np.full((n, dimensions), np.nan, dtype=np.float32)
        self.program.read_vectors(self.data, self.words, self.program.rules, self.stack, self.rows, matrix)
        return matrix

    def _find_records(self) -> int:
        outcome = self.program.find_records(
            self.data, self.words, self.program.rules, self.stack, self.state, self.slots, self.entries, self.columns,
            self.bodies, self.records,
        )  # fmt: skip
        self._enlarge(outcome)
        return outcome

    def _read_records(self) -> int:
        outcome = self.program.read_records(
            self.data, self.words, self.program.rules, self.stack, self.state, self.slots, self.entries,
            self.key_slots, self.columns, self.recent, self.bodies, self.records, self.rows, self.texts, self.numbers,
        )  # fmt: skip
        self._enlarge(outcome)
        return outcome

    def _enlarge(self, outcome: int) -> None:
        """Double what ``outcome`` says is full."""
        if outcome == MORE_RECORDS:
            self.records = np.ascontiguousarray(_doubled(self.records.T).T)
        elif outcome == MORE_STRINGS:
            used = int(self.state[STRINGS])
            self.entries = _doubled(self.entries)
            self.slots = np.full(4 * used, -1, dtype=np.int32)
            self.program.fill_slots(self.slots, self.entries[:used])
        elif outcome == MORE_TEXTS:
            self.texts = _doubled(self.texts)
        elif outcome == MORE_NUMBERS:
            self.numbers = _doubled(self.numbers)


def _state(program: Program, keys: Keys, task: Task) -> Ints:
    state = np.zeros(STATE, dtype=np.int64)
    state[SEED], state[OTHER_SEED] = program.seeds
    state[MOST_RECORDS] = task.limits.records
    state[IS_SPAN] = task.signal == "span"
    state[NOW] = task.now_ns
    state[LATEST] = task.now_ns + task.limits.future_ns
    state[ALL_COLUMNS] = len(keys.columns)
    state[FIRST_FEATURE] = len(keys.names)
    state[KEEPS_EVENT] = keys.keeps_event
    state[ROLES:] = ROLES_OF[task.signal]
    return state


def _doubled(array: NDArray[_Number]) -> NDArray[_Number]:
    """``array`` with twice as many rows, the new ones without content."""
    larger = np.empty((2 * len(array), array.shape[1]), dtype=array.dtype)
    larger[: len(array)] = array
    return larger
