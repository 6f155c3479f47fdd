"""``tailwatch slo correct`` and ``corrections``: take times out of budgets, and say who did and why. No server runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from detectors.slo.parse import load_slos
from storage import corrections
from storage.database import Database
from tailwatch.catalogue import expand
from tailwatch.cli.moments import Moment
from tailwatch.cli.person import person
from tailwatch.correcting import check_slos
from tailwatch.settings import load_settings
from telemetry.clock import SystemClock
from telemetry.corrections import Cancellation, Correction, NewCorrection, audit, told
from telemetry.windows import told_time

_FILE_WIDTH = 160


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--match", "matchers", multiple=True, help='Matcher on slo, service and group labels: service="chat".')
@click.option("--start", type=Moment(), required=True, help="2026-05-01T10:00+02:00 (else UTC), now, -2h or +30m.")
@click.option("--end", type=Moment(), required=True, help="Likewise; may be to come.")
@click.option("--reason", required=True, help="Why: it stays readable.")
@click.option("--author", required=True, help="Who.")
@click.pass_obj
def correct(
    config: Path | None,
    names: tuple[str, ...],
    matchers: tuple[str, ...],
    *,
    start: int,
    end: int,
    reason: str,
    author: str,
) -> None:
    """Take a time out of the budgets of the SLOs NAMED (or matched): its events count neither good nor bad.

    A running server follows within one evaluation.
    """
    settings = load_settings(config)
    asked = NewCorrection.checked(
        start_ns=start, end_ns=end, slos=names, matchers=matchers, author=author, reason=reason
    )
    check_slos(asked, load_slos(expand(settings.slos)))
    with _database(settings.url) as database:
        made = corrections.create(database, asked, SystemClock().now_ns(), person())
    click.echo(f"correction {made.id}: {told_time(start)} to {told_time(end)} counts no more for {_whom(made)}")


@click.group("corrections", invoke_without_command=True)
@click.option("--audit", "show_audit", is_flag=True, help="Every change: who, when, what and why.")
@click.option("--json", "as_json", is_flag=True, help="The API's JSON document instead of a table.")
@click.pass_context
def listing(ctx: click.Context, *, show_audit: bool, as_json: bool) -> None:
    """List corrections, cancelled ones too."""
    if ctx.invoked_subcommand is not None:
        return
    with _database(load_settings(ctx.obj).url) as database:
        found = corrections.load(database)
    if as_json:
        document = {
            "corrections": [one.to_json() for one in reversed(found)],
            "audit": [entry.to_json() for entry in audit(found)],
        }
        click.echo(json.dumps(document, indent=2))
        return
    terminal = Console()
    console = terminal if terminal.is_terminal else Console(width=_FILE_WIDTH)
    console.print(_audit_table(found) if show_audit else _table(found))


@listing.command()
@click.argument("number", type=click.IntRange(1, 2**63 - 1))
@click.option("--reason", required=True, help="Why: it stays readable.")
@click.option("--author", required=True, help="Who.")
@click.pass_obj
def cancel(config: Path | None, number: int, *, reason: str, author: str) -> None:
    """Take correction NUMBER back: its time counts again."""
    now_ns = SystemClock().now_ns()
    with _database(load_settings(config).url) as database:
        cancellation = Cancellation(told("author", author), told("reason", reason), now_ns)
        corrections.cancel(database, number, cancellation, person())
    click.echo(f"correction {number} is cancelled: its time counts again")


@contextmanager
def _database(url: str) -> Iterator[Database]:
    database = Database(url)
    try:
        database.upgrade()
        yield database
    finally:
        database.close()


def _table(found: tuple[Correction, ...]) -> Table:
    table = Table("number", "from", "to", "for", "author", "reason", "cancelled", box=None)
    for one in reversed(found):
        ended = "" if one.cancelled is None else f"{one.cancelled.author}: {one.cancelled.reason}"
        asked = one.asked
        table.add_row(
            str(one.id),
            told_time(asked.start_ns),
            told_time(asked.end_ns),
            _whom(one),
            asked.author,
            asked.reason,
            ended,
        )
    return table


def _audit_table(found: tuple[Correction, ...]) -> Table:
    table = Table("at", "what", "correction", "who", "why", box=None)
    for entry in audit(found):
        table.add_row(told_time(entry.at_ns), entry.action, str(entry.correction), entry.author, entry.reason)
    return table


def _whom(one: Correction) -> str:
    matchers = ", ".join(str(matcher) for matcher in one.asked.matchers.items)
    return " ".join([*one.asked.slos, *([f"{{{matchers}}}"] if matchers else [])])
