"""The compiled functions that the decoder calls, each for one set of types: making one compiles or loads them all."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numba
import numpy as np

from collector.decode.kernel.arrays import STATE
from collector.decode.kernel.frames import find_records
from collector.decode.kernel.interning import fill_slots, index_keys
from collector.decode.kernel.jit import Codes, Words, compiled
from collector.decode.kernel.messages import rules
from collector.decode.kernel.records import read_records
from collector.decode.kernel.vectors import read_vectors

PADDING = bytes(8)
"""Behind every buffer, so that a word can be read at each of its bytes."""


@dataclass(frozen=True, slots=True)
class Program:
    """The compiled functions, and what all calls share.

    Attributes:
        seeds: secret of the hashes, new with every process.
        rules: see :func:`collector.decode.kernel.messages.rules`.
    """

    find_records: Callable[..., int]
    read_records: Callable[..., int]
    read_vectors: Callable[..., None]
    fill_slots: Callable[..., None]
    index_keys: Callable[..., None]
    seeds: tuple[int, int]
    rules: Codes


def words_of(data: bytes) -> Words:
    """``data`` (at least 9 bytes) as words that begin at every byte but the last seven."""
    return np.ndarray((len(data) - 7,), dtype="<u8", buffer=data, strides=(1,))


def compile_program(cache: Path) -> Program:
    """Everything compiled, or loaded from the ``cache`` directory: many seconds, or a fraction of one.

    Raises:
        OSError: this machine stores numbers the other way round than protobuf does.
    """
    if sys.byteorder != "little":
        raise OSError("the compiled decoder needs a little-endian machine")
    numba.config.CACHE_DIR = str(cache)  # type: ignore[attr-defined]  # made at run time; it cannot be passed
    some = bytes(16)
    data, words = np.frombuffer(some, dtype=np.uint8), words_of(some)
    line, table = np.zeros(STATE, dtype=np.int64), np.zeros((2, 2), dtype=np.int64)
    codes, code_table = np.zeros(2, dtype=np.int32), np.zeros((2, 2), dtype=np.int32)
    numbers = np.zeros((2, 2), dtype=np.float64)
    common = (data, words, code_table, table, line, codes, table)
    return Program(
        find_records=compiled(find_records, *common, table, table, table),
        read_records=compiled(read_records, *common, codes, table, table, table, table, table, code_table, numbers),
        read_vectors=compiled(read_vectors, data, words, code_table, table, table, numbers.astype(np.float32)),
        fill_slots=compiled(fill_slots, codes, table),
        index_keys=compiled(index_keys, words, line, codes, table, table),
        seeds=(_seed(), _seed()),
        rules=rules(),
    )


def _seed() -> int:
    """A secret odd number, as int64."""
    return secrets.randbits(63) | 1
