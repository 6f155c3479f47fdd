"""States of many series at once: dataclasses of arrays whose first axis is the series; none changes in place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


class Series:
    """Base of such a dataclass. A field may be another state; one that is neither is shared by all series."""

    __slots__ = ()

    def take(self, series: NDArray[np.intp] | NDArray[np.bool_]) -> Self:
        """The series at ``series`` (positions or a mask)."""
        return self._mapped(lambda mine: mine[series])

    def joined(self, other: Self) -> Self:
        """These series, then those of ``other``."""
        return self._mapped(lambda mine, theirs: np.concatenate([mine, theirs]), other)

    def replaced(self, series: NDArray[np.intp], other: Self) -> Self:
        """The series at these positions as in ``other``."""

        def put(mine: NDArray[Any], theirs: NDArray[Any]) -> NDArray[Any]:
            merged = mine.copy()
            merged[series] = theirs
            return merged

        return self._mapped(put, other)

    def arrays(self, prefix: str = "") -> dict[str, NDArray[Any]]:
        """Its arrays by name, those of a state within it as ``state.field``."""
        named: dict[str, NDArray[Any]] = {}
        for field in fields(self):  # type: ignore[arg-type]
            mine = getattr(self, field.name)
            if isinstance(mine, Series):
                named |= mine.arrays(f"{prefix}{field.name}.")
            elif isinstance(mine, np.ndarray):
                named[prefix + field.name] = mine
        return named

    def filled(self, arrays: Mapping[str, NDArray[Any]], prefix: str = "") -> Self:
        """The same with other arrays, as :meth:`arrays` names them.

        Raises:
            KeyError: one is missing.
            ValueError: one is of another type or shape.
        """
        values: dict[str, Any] = {}
        for field in fields(self):  # type: ignore[arg-type]
            mine = getattr(self, field.name)
            if isinstance(mine, Series):
                values[field.name] = mine.filled(arrays, f"{prefix}{field.name}.")
            elif isinstance(mine, np.ndarray):
                values[field.name] = given = arrays[prefix + field.name]
                if (given.dtype, given.shape) != (mine.dtype, mine.shape):
                    raise ValueError(f"{prefix + field.name} is {given.dtype} {given.shape}")
        return replace(self, **values)  # type: ignore[type-var]

    def _mapped(self, change: Callable[..., NDArray[Any]], *others: Self) -> Self:
        values: list[Any] = []
        for field in fields(self):  # type: ignore[arg-type]  # every subclass is a dataclass
            mine, *theirs = (getattr(one, field.name) for one in (self, *others))
            if isinstance(mine, Series):
                values.append(mine._mapped(change, *theirs))
            else:
                values.append(change(mine, *theirs) if isinstance(mine, np.ndarray) else mine)
        return type(self)(*values)
