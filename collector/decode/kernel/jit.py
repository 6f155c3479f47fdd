"""How the functions of the kernel are compiled, and the types that they share; nothing here knows protobuf."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Words = NDArray[np.uint64]
"""The same buffer seen as 8-byte words that begin at every byte: ``words[i]`` is ``data[i : i + 8]``, little-endian."""

Ints = NDArray[np.int64]
Codes = NDArray[np.int32]
Floats = NDArray[np.float64]

_F = TypeVar("_F", bound=Callable[..., Any])


_njit: Any = numba.njit  # ``_nrt`` is not among its typed options
_OPTIONS = {"nogil": True, "error_model": "numpy", "_nrt": False}
"""Without reference counts (``_nrt``): they would take four fifths of the time. No function allocates, and whoever
calls a compiled one holds its arrays."""


def helper(function: _F) -> _F:
    """A function that compiled code calls."""
    return cast("_F", _njit(**_OPTIONS)(function))


def inlined(function: _F) -> _F:
    """A function that compiled code takes in, for the innermost loops."""
    return cast("_F", _njit(**_OPTIONS, forceinline=True)(function))


def compiled(function: _F, *example: object) -> _F:
    """``function`` compiled for arguments of the types of ``example`` and no others, or loaded from the cache."""
    signature = tuple(map(cast("Any", numba.typeof), example))
    return cast("_F", _njit(signature, **_OPTIONS, cache=True)(function))


def constants(count: int) -> tuple[int, ...]:
    """0, 1, 2 and so on, as numbers of a type that Numba does not compile a function anew for."""
    return tuple(np.arange(count, dtype=np.int64))


@inlined
def signed(number: np.uint64) -> int:
    """The number as int64."""
    return np.int64(number)  # type: ignore[return-value]  # to compiled code they are one type


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
