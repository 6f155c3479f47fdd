"""Stored inference logs as columns: features, predictions, confidences and embeddings, for drift and quality."""

from __future__ import annotations

from collections.abc import Iterator

from storage.database import Database
from storage.selection import CHUNK_ROWS, EVERYTHING, Selection, iterate, load_newest
from telemetry.columns import Columns
from telemetry.matchers import Matchers


def load_columns(
    db: Database,
    start_ns: int,
    end_ns: int,
    *,
    service: str | None = None,
    where: Matchers = EVERYTHING,
    fields: frozenset[str] | None = None,
    limit: int = 200_000,
) -> Columns:
    """The newest ``limit`` inference logs of [start, end), oldest first.

    ``fields`` names what is read beside ids, times and embeddings (None: everything).

    Raises:
        StorageError: the database cannot be used.
    """
    return load_newest(db, Selection("log", start_ns, end_ns, service, where, fields, inference_only=False), limit)


def iterate_columns(
    db: Database,
    start_ns: int,
    end_ns: int,
    *,
    service: str | None = None,
    where: Matchers = EVERYTHING,
    fields: frozenset[str] | None = None,
    chunk_rows: int = CHUNK_ROWS,
) -> Iterator[Columns]:
    """All inference logs of [start, end), oldest first, in batches of at most ``chunk_rows``.

    Raises:
        StorageError: the database cannot be used.
    """
    selection = Selection("log", start_ns, end_ns, service, where, fields, inference_only=False)
    return iterate(db, selection, chunk_rows)
