"""Read a file twice: once to check every row, once to send it through the collector's intake."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tailwatch.importing.mapping import ColumnMapping, Constants, ImportedRequest, RowReader
from tailwatch.importing.payloads import payloads
from tailwatch.importing.readers import ImportFileError, columns_of_file, rows_of_file
from telemetry.errors import TailwatchError

_SHOWN_FAULTS = 5

Submit = Callable[[bytes], tuple[int, bool]]
"""Commit one OTLP trace request; returns how many spans were rejected, and whether it was counted before."""
Progress = Callable[[int], None]
"""Told how many rows were just done."""


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What became of the rows: ``imported``, ``repeated`` (counted by an earlier import), ``rejected``."""

    rows: int
    imported: int
    repeated: int
    rejected: int
    first_ns: int
    last_ns: int


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """A file whose every row can be read: number of rows, and the first and last start time in ns."""

    path: Path
    reader: RowReader
    rows: int
    first_ns: int
    last_ns: int
    digest: bytes

    def requests(self) -> Iterator[tuple[int, ImportedRequest]]:
        """(row number, request), in file order."""
        return ((number, self.reader.read(number, row)) for number, row in rows_of_file(self.path))


def check_file(path: Path, mapping: ColumnMapping, constants: Constants, progress: Progress) -> CheckedFile:
    """Read every row, so that a fault stops the import before it begins.

    Raises:
        ImportFileError: a column is missing, or rows cannot be read; the first five are named.
    """
    mapping.check(path, columns_of_file(path))
    reader = RowReader(path, mapping, constants)
    faults: list[ImportFileError] = []
    rows = 0
    first_ns, last_ns = 2**63 - 1, 0
    for number, row in rows_of_file(path):
        rows += 1
        progress(1)
        try:
            start_ns = reader.read(number, row).start_ns
        except ImportFileError as error:
            faults.append(error)
            continue
        first_ns, last_ns = min(first_ns, start_ns), max(last_ns, start_ns)
    if faults:
        shown = "\n".join(error.sentence() for error in faults[:_SHOWN_FAULTS])
        more = f"\nand {len(faults) - _SHOWN_FAULTS} more" if len(faults) > _SHOWN_FAULTS else ""
        raise ImportFileError(f"{shown}{more}\n{len(faults)} of {rows} rows cannot be read; nothing was imported")
    if not rows:
        raise ImportFileError("the file has no rows", where=str(path), remedy="check that it is the right file")
    return CheckedFile(path, reader, rows, first_ns, last_ns, _digest(path))


def import_file(
    file: CheckedFile, submit: Submit, *, operation: str, shift_ns: int, progress: Progress
) -> ImportResult:
    """Send every row through ``submit``; ``shift_ns`` is added to every time.

    Raises:
        TailwatchError: the file changed after it was checked.
    """
    if _digest(file.path) != file.digest:
        raise TailwatchError("the file changed while it was read", where=str(file.path), remedy="import it again")
    imported = repeated = rejected = 0
    for spans, body in payloads(file.requests(), source=file.digest, operation=operation, shift_ns=shift_ns):
        bad, seen_before = submit(body)
        rejected += bad
        if seen_before:
            repeated += spans - bad
        else:
            imported += spans - bad
        progress(spans)
    return ImportResult(file.rows, imported, repeated, rejected, file.first_ns + shift_ns, file.last_ns + shift_ns)


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
