"""The present cells of one attribute, gathered one by one; it becomes a column once the number of rows is known."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from collector.decode.raw_columns import AttributeColumn
from collector.decode.values import Cell
from telemetry.columns import StringColumn


@dataclass(slots=True)
class Cells:
    """The present cells of one attribute."""

    rows: list[int] = field(default_factory=list)
    values: list[str | float] = field(default_factory=list)

    def put(self, row: int, value: Cell) -> None:
        """Take a cell in; of several of one row and kind the last counts."""
        if value is not None:
            self.rows.append(row)
            self.values.append(value)

    def column(self, n: int) -> AttributeColumn:
        """The column over ``n`` rows."""
        texts: list[str | None] = [None] * n
        numbers = np.full(n, np.nan)
        for row, value in zip(self.rows, self.values, strict=True):
            if isinstance(value, str):
                texts[row] = value
            else:
                numbers[row] = value
        return AttributeColumn(StringColumn.of(texts), numbers)
