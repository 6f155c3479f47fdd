"""Rows out of CSV, JSON Lines and Parquet files, streamed; it interprets no value."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from telemetry.errors import TailwatchError

Row = tuple[int, Mapping[str, Any]]
"""The row's number as an editor shows it (CSV, JSONL: line; Parquet: 1-based row), and its values by column."""

_PARQUET_ROWS = 8192


class ImportFileError(TailwatchError):
    """The file, or something in it, cannot be imported."""


def columns_of_file(path: Path) -> list[str]:
    """Names of the columns.

    Raises:
        ImportFileError: the file is missing, empty, or of an unknown format.
    """
    _check(path)
    if path.suffix == ".parquet":
        return list(_parquet(path).schema_arrow.names)
    if path.suffix == ".csv":
        with _readable(path), path.open(newline="", encoding="utf-8-sig") as file:
            header = next(csv.reader(file), None)
        if not header:
            raise ImportFileError("the file is empty", where=str(path), remedy="the first line must name the columns")
        return header
    first = next(itertools.islice((row for _, row in rows_of_file(path)), 1), None)
    if first is None:
        raise ImportFileError("the file is empty", where=str(path), remedy="write one JSON object a line")
    return list(first)


def rows_of_file(path: Path) -> Iterator[Row]:
    """Every row, in order.

    Raises:
        ImportFileError: the file is missing or a row cannot be read.
    """
    _check(path)
    if path.suffix == ".csv":
        yield from _csv_rows(path)
    elif path.suffix == ".parquet":
        number = itertools.count(1)
        with _readable(path):
            for batch in _parquet(path).iter_batches(_PARQUET_ROWS):
                for row in batch.to_pylist():
                    yield next(number), row
    else:
        with _readable(path):
            yield from _jsonl_rows(path)


def _check(path: Path) -> None:
    if path.suffix not in (".csv", ".jsonl", ".ndjson", ".parquet"):
        raise ImportFileError(
            f"files ending in {path.suffix or 'nothing'} are not read", where=str(path),
            remedy="convert it to .csv, .jsonl or .parquet",
        )  # fmt: skip
    if not path.is_file():
        raise ImportFileError("there is no such file", where=str(path), remedy="check the path")


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Say in a sentence what keeps the file from being read."""
    try:
        yield
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ImportFileError(
            f"the file cannot be read: {error}", where=str(path), remedy="re-export the file"
        ) from None


def _csv_rows(path: Path) -> Iterator[Row]:
    with _readable(path), path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file, restkey=None)
        try:
            for row in reader:
                if None in row or None in row.values():
                    raise ImportFileError(
                        f"the row does not have the header's {len(reader.fieldnames or ())} columns",
                        where=f"{path}:{reader.line_num}", remedy="check commas and quotes on that line",
                    )  # fmt: skip
                yield reader.line_num, row
        except (csv.Error, UnicodeDecodeError) as error:
            raise ImportFileError(
                f"not CSV in UTF-8: {error}", where=f"{path}:{reader.line_num + 1}", remedy="re-export the file"
            ) from None


def _jsonl_rows(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise ImportFileError(
                    f"not JSON: {error}", where=f"{path}:{number}", remedy="write one JSON object a line"
                ) from None
            if not isinstance(row, dict):
                raise ImportFileError(
                    "the line is not a JSON object", where=f"{path}:{number}", remedy='write {"column": value, ...}'
                )
            yield number, row


def _parquet(path: Path) -> Any:
    # pyarrow takes 0.3 s to import, which only a Parquet import should pay
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import parquet  # noqa: PLC0415

    try:
        return parquet.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise ImportFileError(f"not a Parquet file: {error}", where=str(path), remedy="re-export the file") from None
