"""States of many series at once: dataclasses of arrays whose first axis is the series; none changes in place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
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

    def _mapped(self, change: Callable[..., NDArray[Any]], *others: Self) -> Self:
        values: list[Any] = []
        for field in fields(self):  # type: ignore[arg-type]  # every subclass is a dataclass
            mine, *theirs = (getattr(one, field.name) for one in (self, *others))
            if isinstance(mine, Series):
                values.append(mine._mapped(change, *theirs))
            else:
                values.append(change(mine, *theirs) if isinstance(mine, np.ndarray) else mine)
        return type(self)(*values)
