"""``tailwatch demo``: every part on loopback, load, a fault, and the incident that comes of it."""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
from pathlib import Path

import click
from rich.console import Console

from telemetry.errors import TailwatchError

try:
    from reference_model.drills import DRILLS
except ImportError as error:  # the extra is not installed
    raise TailwatchError(
        f"the demo needs the reference service ({error.name} is missing)", remedy="pip install 'tailwatch[reference]'"
    ) from error

from tailwatch.demo.display import Display
from tailwatch.demo.rollback import DRILLS_OF_RELEASES
from tailwatch.demo.run import DemoPlan, run_demo, write_report

DEFAULT_INJECT_S = 60.0


def _terminate(signum: int, frame: object) -> None:  # noqa: ARG001 - the library's signature
    raise KeyboardInterrupt


@click.command()
@click.option("--drill", type=click.Choice(sorted(DRILLS)), default="errors-by-input-type", show_default=True)
@click.option("--seconds", type=click.FloatRange(min=20), help="Length of the load; without it: until Ctrl-C.")
@click.option(
    "--inject-after", type=click.FloatRange(min=5), default=DEFAULT_INJECT_S, show_default=True,
    help="Seconds of load before the fault, at most half of --seconds.",
)  # fmt: skip
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Write the scored drill as JSON.")
@click.option("--hooks", is_flag=True, help="Let a response hook roll the bad release back; score the whole loop.")
@click.option("--dashboard/--no-dashboard", default=None, help="Start the dashboard (default: without --seconds).")
@click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path),
    help="Keep data, logs and notifications here; without it they go when the demo ends.",
)  # fmt: skip
def command(
    drill: str,
    seconds: float | None,
    inject_after: float,
    report: Path | None,
    *,
    hooks: bool,
    dashboard: bool | None,
    folder: Path | None,
) -> None:
    """Bring up Tailwatch and a reference service, inject a fault, and watch the incident arrive.

    With --seconds the demo runs without a dashboard and scores the drill: exit status 0 only when the incident
    named the right SLO, cause, slice and runbook and its signed webhook was received, and with --hooks also when
    the hook has run, nothing serves the bad version any more, and the incident has ended by itself.
    """
    if hooks and drill not in DRILLS_OF_RELEASES:
        raise click.BadParameter(
            f"{drill} is no release that could be rolled back; write --drill {' or '.join(DRILLS_OF_RELEASES)}",
            param_hint="--hooks",
        )
    signal.signal(signal.SIGTERM, _terminate)
    kept = folder or Path(tempfile.mkdtemp(prefix="tailwatch-demo-"))
    kept.mkdir(parents=True, exist_ok=True)
    plan = DemoPlan(
        drill=DRILLS[drill],
        seconds=seconds,
        inject_after_s=inject_after if seconds is None else min(inject_after, seconds / 2),
        dashboard=seconds is None if dashboard is None else dashboard,
        folder=kept.resolve(),
        hooks=hooks,
    )
    try:
        with Display(Console()) as display:
            scored = run_demo(plan, display)
            done = "right incident, notification received"
            verdict = f"{done}{', rolled back, over' if hooks else ''}" if scored.passed else "; ".join(scored.problems)
            display.step(f"drill {drill}: {verdict}", "bold green" if scored.passed else "bold red")
        if report is not None:
            write_report(scored, report)
            click.echo(f"report written to {report}")
    finally:
        if folder is None:
            shutil.rmtree(kept, ignore_errors=True)
    if seconds is not None and not scored.passed:
        sys.exit(1)
