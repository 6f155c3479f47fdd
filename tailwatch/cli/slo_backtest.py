"""``tailwatch slo backtest``: how often SLO files would have paged over stored history. It writes nothing to it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from detectors.slo.parse import load_slos
from storage.database import Database
from tailwatch.backtest.backtest import backtest
from tailwatch.backtest.console import show
from tailwatch.backtest.incidents_file import read_incidents
from tailwatch.backtest.moments import time_of
from tailwatch.backtest.plot import check_plot, write_plot
from tailwatch.catalogue import expand
from tailwatch.cli.durations import duration
from tailwatch.settings import load_settings
from telemetry.clock import SystemClock
from telemetry.errors import ConfigError, DurationError
from telemetry.windows import parse_duration


@click.command("backtest")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--since",
    default="30d",
    show_default=True,
    metavar="TIME",
    help="Begin then: a duration before --until, or a time.",
)
@click.option("--until", default="now", show_default=True, metavar="TIME", help="End then: a time, or a duration ago.")
@click.option(
    "--incidents", type=click.Path(path_type=Path), help="Labelled incidents (YAML, JSON or CSV) to score against."
)
@click.option(
    "--tolerance",
    default="2m",
    show_default=True,
    metavar="DURATION",
    callback=duration,
    help="By how much the times of incidents may be wrong.",
)
@click.option(
    "--step", default="60s", show_default=True, metavar="DURATION", callback=duration, help="Time between evaluations."
)
@click.option("--format", "kind", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.option(
    "--plot", type=click.Path(path_type=Path), help="Draw budgets, alerts and incidents: a .png, .svg or .html file."
)
@click.pass_obj
def command(
    config: Path | None,
    files: tuple[Path, ...],
    since: str,
    until: str,
    incidents: Path | None,
    tolerance: int,
    step: int,
    kind: str,
    plot: Path | None,
) -> None:
    """Run the SLOs in FILES over stored history and say what they would have done: alerts, budgets, scores.

    The SLOs need not be configured. Stored rows are counted as far back as they are complete, counters before.
    """  # fmt: skip
    settings = load_settings(config)
    slos = load_slos(expand([str(file) for file in files]))
    if not len(slos):
        raise ConfigError("there are no SLOs", where=str(files[0]), remedy="write slos: with at least one")
    labelled = None if incidents is None else read_incidents(incidents)
    if plot is not None:
        check_plot(plot)
    now_ns = SystemClock().now_ns()
    end_ns = now_ns if until == "now" else min(_moment(until, now_ns, "--until"), now_ns)
    start_ns = _moment(since, end_ns, "--since")
    database = Database(settings.url)
    try:
        database.upgrade()
        with click.progressbar(
            length=max((end_ns - start_ns) // max(step, 1), 1), label="evaluations", file=sys.stderr,
            update_min_steps=200, hidden=not sys.stderr.isatty(),
        ) as bar:  # fmt: skip
            outcome = backtest(
                database, slos, timing=settings.alerting.timing, max_groups=settings.max_groups, start_ns=start_ns,
                end_ns=end_ns, step_ns=step, incidents=labelled, tolerance_ns=tolerance, progress=bar.update,
            )  # fmt: skip
    finally:
        database.close()
    if plot is not None:
        write_plot(outcome, plot)
    if kind == "json":
        click.echo(json.dumps(outcome.to_json(), indent=2))
    else:
        show(outcome)


def _moment(text: str, before_ns: int, where: str) -> int:
    """A time, or the time that lies a duration before ``before_ns``."""
    found = time_of(text) if text.replace(".", "").isdigit() or "-" in text else None
    if found is not None:
        return found
    try:
        return before_ns - parse_duration(text)
    except DurationError:
        remedy = "write a duration such as 30d, or a time such as 2026-03-01T00:00:00Z"
        raise ConfigError(f"{text!r} is neither a time nor a duration", where=where, remedy=remedy) from None
