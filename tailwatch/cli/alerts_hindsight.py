"""``tailwatch alerts figures`` and ``noise``: how alerting did for the people on call. No server needs to run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console
from rich.table import Table

from alerting.config import AlertingConfig
from alerting.hindsight import noise_report, response_figures
from alerting.noise import Noise, ReceiverNoise, SloNoise
from storage.database import Database
from tailwatch.cli.durations import duration
from tailwatch.settings import load_settings
from telemetry.clock import SystemClock
from telemetry.windows import NANOS, format_duration

_FILE_WIDTH: Final = 160
_ABSENT: Final = "-"

_since = click.option("--since", default="30d", show_default=True, callback=duration, help="How far back: 30d, 12h.")
_format = click.option(
    "--format", "shape", type=click.Choice(["table", "json"]), default="table", show_default=True,
    help="A table, or the API's JSON document.",
)  # fmt: skip


@click.command()
@_since
@_format
@click.pass_obj
def figures(config: Path | None, since: int, shape: str) -> None:
    """How long it took to acknowledge (MTTA) and to resolve (MTTR) the incidents opened since.

    From the opening to the first acknowledgement, and to the last resolution. Withdrawn incidents are in neither.
    """
    with _stored(config) as (database, _, now_ns):
        document = response_figures(database, now_ns - since, now_ns)
    if shape == "json":
        click.echo(json.dumps(document, indent=2))
        return
    console = _console()
    console.print(_figures_table("all", [{**document["all"], "name": "all incidents"}]))
    for by in ("service", "severity", "slo"):
        console.print(_figures_table(by, document[f"by_{by}"]))


@click.command()
@_since
@_format
@click.pass_obj
def noise(config: Path | None, since: int, shape: str) -> None:
    """What each receiver was told, how much of it anybody acted on, and which SLOs cry wolf, with what to do."""
    with _stored(config) as (database, alerting, now_ns):
        report = noise_report(database, alerting, now_ns - since, now_ns)
    if shape == "json":
        click.echo(json.dumps(report.to_json(), indent=2))
        return
    _print_noise(report, _console())


@contextmanager
def _stored(config: Path | None) -> Iterator[tuple[Database, AlertingConfig, int]]:
    """The database, the alerting section, and the time."""
    settings = load_settings(config)
    with Database(settings.url) as database:
        database.upgrade()
        yield database, settings.alerting, SystemClock().now_ns()


def _console() -> Console:
    terminal = Console()
    return terminal if terminal.is_terminal else Console(width=_FILE_WIDTH)


def _figures_table(by: str, rows: Sequence[dict[str, Any]]) -> Table:
    table = Table(
        by, "incidents", "open", "withdrawn", "never acknowledged", "to acknowledge: mean", "median", "p90",
        "to resolve: mean", "median", "p90", box=None,
    )  # fmt: skip
    for row in rows:
        counts = (str(row[name]) for name in ("incidents", "open", "withdrawn", "unacknowledged"))
        table.add_row(row["name"] or _ABSENT, *counts, *_times(row["to_acknowledge"]), *_times(row["to_resolve"]))
    return table


def _times(found: dict[str, float] | None) -> tuple[str, str, str]:
    if found is None:
        return _ABSENT, _ABSENT, _ABSENT
    return _time(found["mean_s"]), _time(found["median_s"]), _time(found["p90_s"])


def _time(seconds: float) -> str:
    return format_duration(round(seconds) * NANOS) if seconds >= 1 else f"{seconds:.2g}s"


def _print_noise(report: Noise, console: Console) -> None:
    since = datetime.fromtimestamp(report.averaged_since_ns / NANOS, UTC)
    console.print(f"a day: on average since {since:%Y-%m-%d %H:%M} UTC", highlight=False)
    receivers = Table("receiver", "told", "a day", "pages", "a day", "acted on", "busiest day", "last 24 h", box=None)
    for one in report.receivers:
        receivers.add_row(
            one.receiver, str(one.notifications), f"{one.per_day:.3g}", str(one.pages), f"{one.pages_per_day:.3g}",
            _share(one.acted_on, one.incidents), f"{one.busiest_day or _ABSENT} ({one.busiest})", _last_day(one),
        )  # fmt: skip
    console.print(receivers)
    slos = Table(
        "SLO", "service", "incidents", "over", "acted on", "by itself", "withdrawn", "back", "lasted", box=None
    )
    for slo in report.slos:
        lasted = _ABSENT if slo.median_s is None else _time(slo.median_s)
        slos.add_row(
            slo.slo or _ABSENT, slo.service or _ABSENT, str(slo.incidents), str(slo.ended),
            _share(slo.acted_on, slo.ended), str(slo.by_themselves), str(slo.withdrawn), str(slo.returns), lasted,
        )  # fmt: skip
    console.print(slos)
    for slo in report.slos:
        for line in _wolf(slo):
            console.print(line, markup=False, highlight=False, soft_wrap=True)


def _last_day(one: ReceiverNoise) -> str:
    said = f"{one.last_day} ({one.last_day_pages} pages)"
    if one.over:
        said += ", over its budget"
    return said + (f", {len(one.days_over)} days over" if one.days_over else "")


def _wolf(slo: SloNoise) -> list[str]:
    if not slo.cries_wolf:
        return []
    head = f"{slo.slo or slo.service} cries wolf: {slo.acted_on} of {slo.ended} incidents were acted on"
    return [head, *(f"  - {advice}" for advice in slo.advice)]


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole}"
