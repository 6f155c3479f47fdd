"""``tailwatch slo``: check SLO files, say how the SLOs stand, and write them for other tools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from alerting.texts import visible
from detectors.slo.parse import load_slos
from detectors.slo.spec import SloSet
from storage.database import Database
from tailwatch.catalogue import expand
from tailwatch.cli.slo_backtest import command as backtest
from tailwatch.cli.slo_corrections import correct, listing
from tailwatch.cli.slo_export import export
from tailwatch.cli.slo_forecast import forecast
from tailwatch.cli.slo_lint import lint
from tailwatch.settings import Settings, load_settings
from tailwatch.standing import evaluate_now
from telemetry.clock import SystemClock
from telemetry.errors import ConfigError

_FILE_WIDTH = 160
"""Columns of a table that goes to a file or another program, where nothing says how wide it may be."""
_STYLES = {
    "ok": "green", "burning": "bold red", "exhausted": "bold red", "outage": "bold red", "late": "yellow",
    "misconfigured": "yellow", "no_telemetry": "yellow",
}  # fmt: skip


@click.group()
def command() -> None:
    """Check SLO files, see how the SLOs stand, and write them for other tools."""


command.add_command(lint)
command.add_command(export)
command.add_command(backtest)
command.add_command(correct)
command.add_command(listing)
command.add_command(forecast)


@command.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="The API's JSON documents instead of a table.")
@click.pass_obj
def status(config: Path | None, files: tuple[Path, ...], as_json: bool) -> None:
    """State, budget and burn of every SLO, computed from the database; no server needs to run.

    Without FILES these are the configured SLOs. SLOs in FILES that are not configured are counted from stored rows.
    """
    settings = load_settings(config)
    slos = load_slos(expand([str(file) for file in files] or settings.slos))
    if not len(slos):
        raise ConfigError(
            "there are no SLOs", where="slos", remedy="name files, or list them under slos: in tailwatch.yaml"
        )
    documents = _evaluate(settings, slos)
    if as_json:
        click.echo(json.dumps({"slos": documents}, indent=2))
    else:
        terminal = Console()
        (terminal if terminal.is_terminal else Console(width=_FILE_WIDTH)).print(_table(documents))


def _evaluate(settings: Settings, slos: SloSet) -> list[dict[str, Any]]:
    database = Database(settings.url)
    try:
        database.upgrade()
        return evaluate_now(database, slos, settings.max_groups, SystemClock().now_ns())
    finally:
        database.close()


def _table(documents: list[dict[str, Any]]) -> Table:
    table = Table("SLO", "group", "objective", "state", "good", "total", "SLI", "budget left", "burn 1h", box=None)
    for place, column in enumerate(table.columns):
        column.no_wrap = column.header != "group"
        column.justify = "right" if place >= 4 else "left"
    for slo in documents:
        for group in slo["groups"]:
            table.add_row(
                slo["name"],
                visible(", ".join(f"{name}={value or '(none)'}" for name, value in group["group"].items())),
                f"${group['total']:,.2f}" if slo["objective"] is None else f"{100 * slo['objective']:g} %",
                Text(group["state"], _STYLES.get(group["state"], "dim")),
                _count(group["good"]),
                _count(group["total"]),
                "" if slo["objective"] is None else _percent(group["sli"], 3),
                _percent(group["budget_remaining"], 1),
                "" if group["burn"].get("1h") is None else f"{group['burn']['1h']:.2f}x",
            )
    return table


def _count(number: float) -> str:
    """Events, whole slices, or what is not whole: shares of slices, and dollars."""
    return f"{int(number):,}" if number == int(number) else f"{number:,.2f}"


def _percent(share: float | None, digits: int) -> str:
    return "" if share is None else f"{100 * share:.{digits}f} %"
