"""``tailwatch db``: the schema, and what the database holds."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from storage.database import Database
from storage.stats import BlockStats, IngestStats, TableStats, block_stats, ingest_stats, table_stats
from tailwatch.settings import load_settings
from telemetry.windows import NANOS


@click.group()
def command() -> None:
    """Look after the database."""


@command.command()
@click.pass_obj
def upgrade(config: Path | None) -> None:
    """Bring the schema up to this version; `tailwatch serve` does the same at its start."""
    settings = load_settings(config)
    database = Database(settings.url)
    try:
        database.upgrade()
    finally:
        database.close()
    click.echo("the database is at the newest schema")


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def stats(config: Path | None, as_json: bool) -> None:
    """Rows and bytes of every table, the blocks that records are kept in, and how far ingest has come."""
    settings = load_settings(config)
    with Database(settings.url) as database:
        tables, blocks, ingest = table_stats(database), block_stats(database), ingest_stats(database)
    if as_json:
        click.echo(json.dumps(_document(tables, blocks, ingest), indent=2))
        return
    console = Console()
    console.print(_grid(("table", "rows", "bytes"), ((one.name, one.rows, one.size_bytes) for one in tables)))
    if blocks:
        names = ("blocks of", "level", "blocks", "records", "bytes", "oldest", "newest")
        console.print(_grid(names, map(_block_row, blocks)))
    last = "none yet" if ingest.last_received_ns is None else f"the last at {_time(ingest.last_received_ns)}"
    console.print(f"{ingest.requests:,} requests remembered, {last}; position {ingest.position}", highlight=False)


def _block_row(one: BlockStats) -> tuple[str | int, ...]:
    times = _time(one.oldest_ns), _time(one.newest_ns)
    return f"{one.signal}s", one.level, one.blocks, one.records, one.size_bytes, *times


def _document(tables: list[TableStats], blocks: list[BlockStats], ingest: IngestStats) -> dict[str, Any]:
    """Times in seconds since the epoch, sizes in bytes."""
    last = ingest.last_received_ns
    return {
        "tables": [{"name": one.name, "rows": one.rows, "bytes": one.size_bytes} for one in tables],
        "blocks": [
            {
                "signal": one.signal, "level": one.level, "blocks": one.blocks, "records": one.records,
                "bytes": one.size_bytes, "oldest": one.oldest_ns / NANOS, "newest": one.newest_ns / NANOS,
            }
            for one in blocks
        ],
        "ingest": {
            "requests": ingest.requests,
            "last_received": None if last is None else last / NANOS,
            "position": ingest.position,
        },
    }  # fmt: skip


def _grid(names: Iterable[str], rows: Iterable[Iterable[str | int | None]]) -> Table:
    """A table whose numbers stand at the right."""
    grid = Table(*names, box=None)
    for row in rows:
        grid.add_row(*(f"{cell:,}" if isinstance(cell, int) else cell for cell in row))
    for column in grid.columns[1:]:
        column.justify = "right"
    return grid


def _time(time_ns: int) -> str:
    return dt.datetime.fromtimestamp(time_ns // NANOS, dt.UTC).strftime("%Y-%m-%d %H:%M:%SZ")
