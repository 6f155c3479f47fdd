"""One batch on its way through the compiled functions: the arrays that they fill, enlarged whenever they are full."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from collector.decode.decoder import Task
from collector.decode.kernel.arrays import (
    ACCEPTED,
    BODIES,
    BODY,
    BODY_END,
    BODY_START,
    DONE,
    ENTRY,
    FEATURES,
    FIRST_FEATURE,
    FOUND,
    IS_ALONE,
    IS_SPAN,
    KEEPS_EVENT,
    LATEST,
    MAX_DEPTH,
    MORE_NUMBERS,
    MORE_RECORDS,
    MORE_STRINGS,
    MORE_TEXTS,
    MOST_RECORDS,
    NEXT_RECORD,
    NOW,
    OTHER_SEED,
    PADDING,
    RECORD,
    ROLES,
    ROW,
    SEED,
    STATE,
    STRINGS,
    Codes,
    Floats,
    Ints,
)
from collector.decode.kernel.keys import Keys
from collector.decode.kernel.program import Program
from collector.decode.kernel.roles import ROLES_OF

_PIECE: Final = 1 << 19
"""Bytes of bodies that are copied, cut and read in one go: they stay in the processor's cache in between."""

_STRINGS: Final = 64
_COLUMNS: Final = 16
_RECORDS: Final = 64
_REMEMBERED_KEYS: Final = 64
"""Room at the start; ordinary requests need little more."""

_SHORT_RECORD: Final = 128
"""Bytes; a body that begins with shorter records gets no room in advance for more of them."""

_Number = TypeVar("_Number", bound=np.generic)


class Scan:
    """The arrays of one batch, see :mod:`collector.decode.kernel.arrays`."""

    def __init__(self, program: Program, keys: Keys, sent: Sequence[bytes], task: Task) -> None:
        self.program = program
        self._sent = sent
        self._most_cells = task.limits.cells
        lengths = np.asarray([len(body) for body in sent], dtype=np.int64)
        self.bodies = np.zeros((len(sent), BODY), dtype=np.int64)
        self.bodies[:, BODY_END] = np.cumsum(lengths) + len(keys.constants)
        self.bodies[:, BODY_START] = self.bodies[:, BODY_END] - lengths
        self._size = int(lengths.sum())
        self.data = np.empty(len(keys.constants) + self._size + len(PADDING), dtype=np.uint8)
        self.data[: len(keys.constants)] = np.frombuffer(keys.constants, dtype=np.uint8)
        self.data[-len(PADDING) :] = 0
        self.stack = np.empty((MAX_DEPTH + 1, 3), dtype=np.int64)
        self.state = _state(program, keys, task)
        self.state[IS_ALONE] = len(sent) == 1
        self.key_slots, self.columns = keys.slots.copy(), keys.columns.copy()
        self.recent = np.full((_REMEMBERED_KEYS, 3), -1, dtype=np.int64)
        self.slots = np.full(2 * _STRINGS, -1, dtype=np.int32)
        self.entries: Ints = np.empty((_STRINGS, ENTRY), dtype=np.int64)
        self.records: Ints = np.empty((RECORD, _RECORDS), dtype=np.int64)
        self.rows: Ints = np.empty((ROW, 0), dtype=np.int64)
        self.texts: Codes = np.empty((_COLUMNS, 0), dtype=np.int32)
        self.numbers: Floats = np.empty((_COLUMNS, 0), dtype=np.float64)

    def run(self) -> bool:
        """Fill the arrays; False when the batch has to be handed over."""
        read = 0
        for first, end in self._pieces():
            for body in range(first, end):
                place = self.bodies[body, BODY_START]
                self.data[place : place + len(self._sent[body])] = np.frombuffer(self._sent[body], dtype=np.uint8)
            read = int(self.bodies[end - 1, BODY_END] - self.bodies[0, BODY_START])
            self.state[BODIES], self.state[FOUND], self.state[NEXT_RECORD] = end, 0, 0
            if self._find_records() != DONE:
                return False
            self._make_room(int(self.state[FOUND]), read)
            if self._read_records() != DONE:
                return False
        return self._fits()

    def read_vectors(self, n: int, dimensions: int) -> NDArray[np.float32]:
        """(n, dimensions): the embeddings of that length, NaN in the rows that have none."""
        matrix = np.full((n, dimensions), np.nan, dtype=np.float32)
        self.program.read_vectors(self.data, self.program.rules, self.stack, self.rows, matrix)
        return matrix

    def _pieces(self) -> Iterator[tuple[int, int]]:
        """The bodies in runs of about ``_PIECE`` bytes, as first and end."""
        first, size = 0, 0
        for body, sent in enumerate(self._sent):
            size += len(sent)
            if size >= _PIECE or body == len(self._sent) - 1:
                yield first, body + 1
                first, size = body + 1, 0

    def _find_records(self) -> int:
        while True:
            outcome = self.program.find_records(
                self.data, self.program.rules, self.stack, self.state, self.slots, self.entries, self.columns,
                self.bodies, self.records,
            )  # fmt: skip
            if outcome == MORE_RECORDS:
                self.records = _widened(self.records, 2 * self.records.shape[1], 0)
            elif outcome == MORE_STRINGS:
                self._make_room_for_strings(2 * len(self.entries))
            else:
                return outcome

    def _read_records(self) -> int:
        while True:
            outcome = self.program.read_records(
                self.data, self.program.rules, self.stack, self.state, self.slots, self.entries, self.key_slots,
                self.columns, self.recent, self.bodies, self.records, self.rows, self.texts, self.numbers,
            )  # fmt: skip
            if outcome == MORE_STRINGS:
                self._make_room_for_strings(2 * len(self.entries))
            elif outcome == MORE_TEXTS and self._fits():
                self.texts = _heightened(self.texts)
            elif outcome == MORE_NUMBERS and self._fits():
                self.numbers = _heightened(self.numbers)
            else:
                return outcome

    def _fits(self) -> bool:
        """Whether features fill no more cells than they may, should no record more be refused."""
        rows = int(self.state[ACCEPTED] + self.state[FOUND] - self.state[NEXT_RECORD])
        return int(self.state[FEATURES]) <= self._most_cells // max(rows, 1)

    def _make_room(self, found: int, read: int) -> None:
        """Have room for the records ``found`` in the last piece, and for what they and all others make probable.

        Args:
            found: records that were cut and not read yet.
            read: bytes of bodies up to here.
        """
        rows = int(self.state[ACCEPTED]) + found
        if rows > self.rows.shape[1]:
            rest = self._size - read
            probable = rows + min(rows * rest // max(read, 1) * 9 // 8, rest // _SHORT_RECORD)
            rows = max(probable, self.rows.shape[1] * 3 // 2)
            self.rows = _widened(self.rows, rows, 0)
            self.texts = _widened(self.texts, rows, -1)
            self.numbers = _widened(self.numbers, rows, np.nan)
            self._make_room_for_strings(2 * rows)

    def _make_room_for_strings(self, strings: int) -> None:
        if strings <= len(self.entries):
            return
        room = 1 << (strings - 1).bit_length()
        known = self.entries[: self.state[STRINGS]]
        self.entries = np.empty((room, ENTRY), dtype=np.int64)
        self.entries[: len(known)] = known
        self.slots = np.full(2 * room, -1, dtype=np.int32)
        self.program.fill_slots(self.slots, known)


def _state(program: Program, keys: Keys, task: Task) -> Ints:
    state = np.zeros(STATE, dtype=np.int64)
    state[SEED], state[OTHER_SEED] = program.seeds
    state[MOST_RECORDS] = task.limits.records
    state[IS_SPAN] = task.signal == "span"
    state[NOW] = task.now_ns
    state[LATEST] = task.now_ns + task.limits.future_ns
    state[FIRST_FEATURE] = len(keys.names)
    state[KEEPS_EVENT] = keys.keeps_event
    state[ROLES:] = ROLES_OF[task.signal]
    return state


def _widened(array: NDArray[_Number], columns: int, missing: float) -> NDArray[_Number]:
    """``array`` with so many columns; the new ones are ``missing``, unless all are new and nobody has written yet."""
    larger = np.empty((len(array), columns), dtype=array.dtype)
    if array.shape[1]:
        larger[:, : array.shape[1]] = array
        larger[:, array.shape[1] :] = missing
    return larger


def _heightened(array: NDArray[_Number]) -> NDArray[_Number]:
    """``array`` with twice as many rows, the new ones without content."""
    larger = np.empty((2 * len(array), array.shape[1]), dtype=array.dtype)
    larger[: len(array)] = array
    return larger
