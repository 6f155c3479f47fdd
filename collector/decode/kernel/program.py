"""The compiled functions as Python calls them: object code that ``export`` made, linked without importing Numba.

LLVM's linker alone takes a third of the memory that Numba does, and nothing of it is needed to compile again.
"""

from __future__ import annotations

import secrets
import sys
from array import array as words
from ctypes import CFUNCTYPE, POINTER, byref, c_int32, c_int64, c_void_p
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import llvmlite.binding as llvm
import numpy as np
from numpy.typing import NDArray

from collector.decode.kernel.arrays import Codes
from collector.decode.kernel.messages import rules

Kind: TypeAlias = tuple[Any, int]
"""Type of the elements of an array, and its dimensions."""

_BYTES: Final[Kind] = np.dtype(np.uint8), 1
_LINE: Final[Kind] = np.dtype(np.int64), 1
_TABLE: Final[Kind] = np.dtype(np.int64), 2
_CODES: Final[Kind] = np.dtype(np.int32), 1
_CODE_TABLE: Final[Kind] = np.dtype(np.int32), 2
_NUMBERS: Final[Kind] = np.dtype(np.float64), 2
_VECTORS: Final[Kind] = np.dtype(np.float32), 2
_COMMON: Final = (_BYTES, _CODE_TABLE, _TABLE, _LINE, _CODES, _TABLE)

ARGUMENTS: Final = MappingProxyType(
    {
        "find_records": (*_COMMON, _TABLE, _TABLE, _TABLE),
        "read_records": (*_COMMON, _CODES, *[_TABLE] * 5, _CODE_TABLE, _NUMBERS),
        "read_vectors": (_BYTES, _CODE_TABLE, _TABLE, _TABLE, _VECTORS),
        "sort_strings": (_LINE, _TABLE, _TABLE, _LINE, _LINE),
        "join_strings": (_BYTES, _TABLE, _LINE, _BYTES),
        "fill_slots": (_CODES, _TABLE),
        "index_keys": (_BYTES, _LINE, _CODES, _TABLE, _TABLE),
    }
)
"""The functions, and the arrays that each takes; all of them return an integer."""

_CONVENTION: Final = CFUNCTYPE(c_int32, POINTER(c_int64), POINTER(c_void_p), c_void_p)
"""Numba's calling convention (https://numba.readthedocs.io/en/stable/developer/architecture.html): status; places of
the result and of an exception; then the argument, which is the address of our frame."""


class Function:
    """A compiled function of arrays; the interpreter's lock is free while it runs.

    Args:
        name: one of :data:`ARGUMENTS`.
        code: what was linked, which lives as long as this does.
    """

    def __init__(self, name: str, code: Any) -> None:
        self._name = name
        self._kinds = ARGUMENTS[name]
        self._code = code
        self._call = _CONVENTION(code[name])

    def __call__(self, *arrays: NDArray[Any]) -> int:
        """What the function returns.

        Raises:
            TypeError: these are not the arrays that it takes; nothing was done.
            IndexError: it reached beyond an array, which only code that was compiled with checks can tell.
        """
        frame = words("q")
        for array, (dtype, dimensions) in zip(arrays, self._kinds, strict=True):
            if array.dtype != dtype or array.ndim != dimensions or not array.flags.c_contiguous:
                raise TypeError(f"{self._name} does not take {array.dtype} of {array.ndim} dimensions here")
            frame.append(array.__array_interface__["data"][0])
            frame.extend(array.shape)
        result, exception = c_int64(), c_void_p()
        if self._call(byref(result), byref(exception), frame.buffer_info()[0]) != 0:
            raise IndexError(f"{self._name} reached beyond an array")
        return result.value


@dataclass(frozen=True, slots=True)
class Program:
    """The compiled functions, and what all calls share.

    Attributes:
        seeds: secret of the hashes, new with every process.
        rules: see :func:`collector.decode.kernel.messages.rules`.
    """

    find_records: Function
    read_records: Function
    read_vectors: Function
    sort_strings: Function
    join_strings: Function
    fill_slots: Function
    index_keys: Function
    seeds: tuple[int, int]
    rules: Codes


def load_program(file: Path) -> Program:
    """The functions in an object ``file`` for this machine, in a few milliseconds.

    Raises:
        OSError: the file cannot be read, or this machine stores numbers the other way round than protobuf does.
        RuntimeError: it cannot be linked.
    """
    if sys.byteorder != "little":
        raise OSError("the compiled decoder needs a little-endian machine")
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    builder = llvm.JITLibraryBuilder().add_object_img(file.read_bytes()).add_current_process()
    for name in ARGUMENTS:
        builder.export_symbol(name)
    code = builder.link(llvm.create_lljit_compiler(), "decoder")
    functions = {name: Function(name, code) for name in ARGUMENTS}
    return Program(**functions, seeds=(_seed(), _seed()), rules=rules())


def _seed() -> int:
    """A secret odd number, as int64."""
    return secrets.randbits(63) | 1
