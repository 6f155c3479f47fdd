"""Evidently's HTML report on two windows, attached to a drift incident; the only file that knows Evidently.

The report shows and judges by Evidently's own default rules (up to 1,000 reference records Kolmogorov-Smirnov,
chi-squared or z at 0.05, beyond that distances at 0.1), which may differ from Tailwatch's verdict: it is for looking.
Importing Evidently takes seconds and writing a report takes more, so keep this off every hot path.

Source: Evidently 0.7.23, https://docs.evidentlyai.com; it needs pandas below 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from telemetry.columns import Columns
from telemetry.errors import TailwatchError

if TYPE_CHECKING:
    import pandas as pd

MOST_ROWS: Final = 10_000
"""Records a side that go into a report: evenly spaced ones of a longer window."""
MOST_VALUES: Final = 100
"""Values beyond which a string field is an identifier, and no report on it is readable."""
FEWEST: Final = 2


def write_html(reference: Columns, current: Columns, fields: Sequence[str], path: Path) -> Path:
    """Write the report on ``fields`` to ``path``, whole or not at all, and return ``path``.

    Fields without values on either side, and string fields with more than 100 values, are left out.

    Raises:
        TailwatchError: no field is left, or Evidently is not installed.
        OSError: the file cannot be written.
    """
    sides = _thinned(reference), _thinned(current)
    numeric = [name for name in fields if all(_has_numbers(side, name) for side in sides)]
    categorical = [name for name in fields if name not in numeric and _is_category(sides, name)]
    if not numeric and not categorical:
        raise TailwatchError(
            f"none of {', '.join(fields) or 'no fields'} has values in both windows to report on",
            remedy="name fields that the records have",
        )
    evidently, preset = _evidently()
    definition = evidently.DataDefinition(numerical_columns=numeric, categorical_columns=categorical)
    datasets = [
        evidently.Dataset.from_pandas(_frame(side, numeric, categorical), data_definition=definition) for side in sides
    ]
    snapshot = evidently.Report([preset()]).run(datasets[1], datasets[0])
    partial = path.with_name(f".{path.name}.partial")
    try:
        snapshot.save_html(str(partial))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def _thinned(columns: Columns) -> Columns:
    if len(columns) <= MOST_ROWS:
        return columns
    return columns.take(np.linspace(0, len(columns) - 1, MOST_ROWS).astype(np.intp))


def _has_numbers(columns: Columns, name: str) -> bool:
    return name in columns.numbers and int(np.isfinite(columns.numbers[name]).sum()) >= FEWEST


def _is_category(sides: tuple[Columns, Columns], name: str) -> bool:
    values = {value for side in sides for value in side.string(name).values}
    present = all(int((side.string(name).codes >= 0).sum()) >= FEWEST for side in sides)
    return present and len(values) <= MOST_VALUES


def _frame(columns: Columns, numeric: Sequence[str], categorical: Sequence[str]) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415  # half a second to import, and only reports need it

    data: dict[str, NDArray[np.float64] | list[str | None]] = {
        name: np.where(np.isfinite(columns.numbers[name]), columns.numbers[name], np.nan) for name in numeric
    }
    data.update({name: columns.string(name).optional() for name in categorical})
    return pd.DataFrame(data)


def _evidently() -> tuple[Any, Any]:
    try:
        import evidently  # noqa: PLC0415  # seconds to import, and only reports need it
        from evidently.presets import DataDriftPreset  # noqa: PLC0415
    except ImportError as error:
        raise TailwatchError(
            f"the drift report needs Evidently, which cannot be imported: {error}",
            remedy="pip install 'tailwatch[drift]'",
        ) from error
    return evidently, DataDriftPreset
