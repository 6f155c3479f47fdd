"""``tailwatch audit``: who changed what, when and from where, read from the database itself; it changes nothing."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from alerting.texts import visible
from storage import audit
from storage.database import Database
from tailwatch.cli.moments import Moment
from tailwatch.settings import load_settings
from telemetry.windows import told_time

_WIDTH = 200


@click.command()
@click.option("--since", type=Moment(), help="2026-05-01T10:00+02:00 (else UTC) or -24h; by default all.")
@click.option("--actor", help="Only what this one did.")
@click.option("--action", help="Only this: incident.acknowledge, or token for all that begin so.")
@click.option("--limit", type=click.IntRange(1, audit.LONGEST_ANSWER), default=100, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(
    config: Path | None, since: int | None, actor: str | None, action: str | None, *, limit: int, as_json: bool
) -> None:
    """Show the audit log, the newest changes first."""
    with Database(load_settings(config).url) as database:
        database.check_schema()
        found = audit.load(database, since_ns=since, actor=actor, action=action, limit=limit)
    if as_json:
        click.echo(json.dumps({"entries": [one.to_json() for one in found]}, indent=2))
        return
    table = Table("at", "who", "from", "what", "of", "detail", box=None)
    for one in found:
        detail = ", ".join(f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in one.detail.items())
        table.add_row(told_time(one.at_ns), *map(visible, (one.actor, one.address, one.action, one.subject, detail)))
    width = None if sys.stdout.isatty() else _WIDTH
    Console(width=width, markup=False).print(table)
