"""Compiles the functions of the kernel into one object file that runs without Numba; it runs none of them itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import llvmlite.binding as llvm
import numba
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

from collector.decode.kernel.frames import find_records
from collector.decode.kernel.interning import fill_slots, index_keys
from collector.decode.kernel.jit import OPTIONS
from collector.decode.kernel.joining import join_strings, sort_strings
from collector.decode.kernel.program import ARGUMENTS
from collector.decode.kernel.records import read_records
from collector.decode.kernel.vectors import read_vectors

_FUNCTIONS: Final[tuple[Callable[..., int], ...]] = (
    find_records, read_records, read_vectors, sort_strings, join_strings, fill_slots, index_keys,
)  # fmt: skip
_WORD = ir.IntType(64)
_njit: Any = numba.njit  # some of ``OPTIONS`` are not among its typed ones
_populate: Any = populate_array
_tuple: Any = types.Tuple


def export(file: Path) -> None:
    """Write the object ``file``, whole or not at all: many seconds of work."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    first, *others = [_module(function) for function in _FUNCTIONS]
    for other in others:
        first.link_in(other)
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3, jit=True
    )
    unfinished = file.with_suffix(f".{os.getpid()}")
    unfinished.write_bytes(machine.emit_object(first))
    unfinished.replace(file)


def _module(function: Callable[..., int]) -> Any:
    """The optimised code of ``function`` under its own name, as a function of a frame."""
    signature = tuple(types.Array(numba.from_dtype(dtype), ndim, "C") for dtype, ndim in ARGUMENTS[function.__name__])
    inner = _njit(**OPTIONS)(function)
    arrays: Any = intrinsic(_arrays_in(signature))

    def entry(frame: int) -> int:
        result: int = inner(*arrays(frame))
        return result

    outer = _njit(types.int64(types.uintp), **OPTIONS, no_cpython_wrapper=True, no_cfunc_wrapper=True)(entry)
    (compiled,) = outer.overloads.values()
    module = llvm.parse_assembly(outer.inspect_llvm(compiled.signature.args))
    module.get_function(compiled.fndesc.mangled_name).name = function.__name__
    return module


def _arrays_in(kinds: Sequence[Any]) -> Callable[[Any, Any], Any]:
    """An intrinsic that makes a tuple of arrays of these ``kinds`` from a frame.

    A frame is the address of words: of each array the address of its first element, and its shape.
    """

    def arrays(_context: Any, frame: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            words = builder.inttoptr(arguments[0], _WORD.as_pointer())
            made, place = [], 0
            for kind in kinds:
                address, *shape = (
                    builder.load(builder.gep(words, [_WORD(place + number)])) for number in range(1 + kind.ndim)
                )
                place += 1 + kind.ndim
                made.append(_array(context, builder, kind, address, shape))
            return context.make_tuple(builder, signature.return_type, made)

        return _tuple(kinds)(frame), generate

    return arrays


def _array(context: Any, builder: Any, kind: Any, address: Any, shape: Sequence[Any]) -> Any:
    array = context.make_array(kind)(context, builder)
    size = _WORD(context.get_abi_sizeof(context.get_data_type(kind.dtype)))
    strides = [size]
    for length in reversed(shape[1:]):
        strides.insert(0, builder.mul(strides[0], length))
    data = builder.inttoptr(address, array.data.type)
    _populate(array, data=data, shape=shape, strides=strides, itemsize=size, meminfo=None)
    return array._getvalue()  # numba has no other name for it
