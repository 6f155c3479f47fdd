"""The compiled functions that the decoder calls, each for one set of types: making one compiles or loads them all."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from collector.decode.kernel.arrays import STATE
from collector.decode.kernel.frames import find_records
from collector.decode.kernel.interning import fill_slots, index_keys
from collector.decode.kernel.jit import Codes, compiled, keep_compiled_in
from collector.decode.kernel.joining import join_strings, sort_strings
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
    sort_strings: Callable[..., int]
    join_strings: Callable[..., None]
    fill_slots: Callable[..., None]
    index_keys: Callable[..., None]
    seeds: tuple[int, int]
    rules: Codes


def compile_program(cache: Path) -> Program:
    """Everything compiled, or loaded from the ``cache`` directory: many seconds, or a fraction of one.

    Raises:
        OSError: this machine stores numbers the other way round than protobuf does.
    """
    if sys.byteorder != "little":
        raise OSError("the compiled decoder needs a little-endian machine")
    keep_compiled_in(cache)
    data = np.zeros(2, dtype=np.uint8)
    line, table = np.zeros(STATE, dtype=np.int64), np.zeros((2, 2), dtype=np.int64)
    codes, code_table = np.zeros(2, dtype=np.int32), np.zeros((2, 2), dtype=np.int32)
    numbers = np.zeros((2, 2), dtype=np.float64)
    common = (data, code_table, table, line, codes, table)
    return Program(
        find_records=compiled(find_records, *common, table, table, table),
        read_records=compiled(read_records, *common, codes, table, table, table, table, table, code_table, numbers),
        read_vectors=compiled(read_vectors, data, code_table, table, table, numbers.astype(np.float32)),
        sort_strings=compiled(sort_strings, line, table, table, line, line),
        join_strings=compiled(join_strings, data, table, line, np.zeros(1, dtype=np.uint8)),
        fill_slots=compiled(fill_slots, codes, table),
        index_keys=compiled(index_keys, data, line, codes, table, table),
        seeds=(_seed(), _seed()),
        rules=rules(),
    )


def _seed() -> int:
    """A secret odd number, as int64."""
    return secrets.randbits(63) | 1
