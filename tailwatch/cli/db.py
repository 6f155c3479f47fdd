"""``tailwatch db``: the schema, and what the database holds."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from storage.database import Database
from storage.stats import table_stats
from tailwatch.settings import load_settings


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
@click.pass_obj
def stats(config: Path | None) -> None:
    """Rows and bytes of every table."""
    settings = load_settings(config)
    database = Database(settings.url)
    try:
        rows = table_stats(database)
    finally:
        database.close()
    table = Table("table", "rows", "bytes", box=None)
    for row in rows:
        table.add_row(row.name, f"{row.rows:,}", "" if row.size_bytes is None else f"{row.size_bytes:,}")
    for column in table.columns[1:]:
        column.justify = "right"
    Console().print(table)
