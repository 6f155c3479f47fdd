"""``tailwatch simulate``: synthetic traffic with known incidents, through the real engine in virtual time."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from tailwatch.backtest.console import show
from tailwatch.settings import load_settings
from tailwatch.simulation.reading import load_scenario
from tailwatch.simulation.report import Run, check_report, write_report
from tailwatch.simulation.run import simulate


@click.command()
@click.argument("scenario", type=click.Path(path_type=Path))
@click.option(
    "--report", type=click.Path(path_type=Path), help="Write the report to a .json, .md or .html file as well."
)
@click.option("--seed", type=click.IntRange(min=0), help="In place of the scenario's seed.")
@click.pass_obj
def command(config: Path | None, scenario: Path, report: Path | None, seed: int | None) -> None:
    """Run the traffic and incidents of SCENARIO through counting, evaluation and alert states, and score the alerts.

    Nothing is stored and nobody is told. The same scenario and seed give the same report.
    """
    settings = load_settings(config)
    loaded = load_scenario(scenario, seed)
    if report is not None:
        check_report(report)
    expected = round(loaded.traffic.rate * loaded.duration_ns / 1e9)
    began_s = time.process_time()
    with click.progressbar(
        length=max(expected, 1), label=loaded.name, file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as bar:
        simulated = simulate(loaded, settings.alerting.timing, settings.max_groups, bar.update)
    run = Run(loaded.name, loaded.seed, simulated)
    took_s = time.process_time() - began_s
    if report is not None:
        write_report(run, report)
    each = f"{1e6 * took_s / max(simulated.events, 1):.2f} µs each"
    click.echo(f"{run.sentence} in {took_s:.1f} s of CPU, {each}")
    show(simulated.outcome)
