"""How the functions of the kernel are compiled, and the types that they share; nothing here knows protobuf."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from collector.decode.kernel.arrays import Bytes

_F = TypeVar("_F", bound=Callable[..., Any])


_config: Any = numba.config  # its names are made at run time
_njit: Any = numba.njit  # ``_nrt`` is not among its typed options
OPTIONS = {"nogil": True, "error_model": "numpy", "_nrt": False}
"""Without reference counts (``_nrt``): they would take four fifths of the time. No function allocates, and whoever
calls a compiled one holds its arrays."""


def helper(function: _F) -> _F:
    """A function that compiled code calls."""
    return cast("_F", _njit(**OPTIONS)(function))


def inlined(function: _F) -> _F:
    """A function that compiled code takes in, for the innermost loops."""
    return cast("_F", _njit(**OPTIONS, forceinline=True)(function))


@inlined
def signed(number: np.uint64) -> int:
    """The number as int64."""
    return np.int64(number)  # type: ignore[return-value]  # to compiled code they are one type


def _load(_context: Any, data: Any, _at: Any) -> Any:
    """The 8 bytes of ``data`` from ``at`` on, as one little-endian number, wherever they lie."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        place = builder.bitcast(builder.gep(array.data, [arguments[1]]), ir.IntType(64).as_pointer())
        return builder.load(place, align=1)

    return types.uint64(data, types.int64), generate


_load_word: Any = intrinsic(_load)


@inlined
def _checked_word(data: Bytes, at: int) -> np.uint64:
    word = np.uint64(0)
    for place in range(8):
        word |= np.uint64(data[at + place]) << np.uint64(8 * place)
    return word


word_at: Callable[[Bytes, int], np.uint64] = _checked_word if _config.BOUNDSCHECK else _load_word
"""``word_at(data, at)``: the 8 bytes from ``at`` on as one little-endian number. Callers stay before the padding;
NUMBA_BOUNDSCHECK=1 makes sure of it, in tests."""


def _fold(_context: Any, left: Any, right: Any) -> Any:

    def generate(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        wide = ir.IntType(128)
        product = builder.mul(builder.zext(arguments[0], wide), builder.zext(arguments[1], wide))
        high = builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), ir.IntType(64))
        return builder.xor(high, builder.trunc(product, ir.IntType(64)))

    if left != types.uint64 or right != types.uint64:
        raise TypeError("fold takes two uint64")
    return types.uint64(types.uint64, types.uint64), generate


fold = cast("Callable[[np.uint64, np.uint64], np.uint64]", intrinsic(_fold))
"""The 128-bit product of two words, its halves combined by exclusive or."""
