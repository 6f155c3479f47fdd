"""``tailwatch slo export``: SLO files as Prometheus rules or a Grafana dashboard. It needs no server and no data."""

from __future__ import annotations

from pathlib import Path

import click

from detectors.slo.export.grafana import dashboard
from detectors.slo.export.omissions import judged_by_evidence, omissions
from detectors.slo.export.prometheus import PrometheusOptions, prometheus_rules
from detectors.slo.parse import load_slos
from detectors.slo.spec import SloSet
from tailwatch.catalogue import expand
from telemetry.errors import ConfigError, DurationError
from telemetry.windows import NANOS, parse_duration


def _interval(ctx: click.Context, param: click.Parameter, value: str) -> int:
    """Nanoseconds in an option that is a duration of whole seconds, at least one."""
    try:
        duration_ns = parse_duration(value)
    except DurationError as error:
        raise click.BadParameter(str(error), ctx, param) from None
    if duration_ns < NANOS or duration_ns % NANOS:
        raise click.BadParameter(f"{value!r} is not a whole number of seconds. Write 15s or 1m", ctx, param)
    return duration_ns


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--format", "kind", type=click.Choice(["prometheus", "grafana"]), required=True, help="What to write.")
@click.option("--output", type=click.Path(path_type=Path), help="The file to write, instead of standard output.")
@click.option(
    "--interval",
    metavar="DURATION",
    callback=_interval,
    default="30s",
    show_default=True,
    help="How often rules are evaluated.",
)
@click.option(
    "--scrape-interval",
    metavar="DURATION",
    callback=_interval,
    default="15s",
    show_default=True,
    help="How often Tailwatch is scraped.",
)
@click.option("--runbook-url", default="", help="Address below which runbooks are published as NAME.md.")
@click.option("--strict", is_flag=True, help="Exit with 1 when anything must be left out.")
def export(
    files: tuple[Path, ...],
    kind: str,
    output: Path | None,
    interval: int,
    scrape_interval: int,
    runbook_url: str,
    *,
    strict: bool,
) -> None:
    """Write the SLOs of FILES as Prometheus rules, or as a Grafana dashboard over those rules.

    What Prometheus cannot express is left out and named on standard error, with the reason.
    """
    slos = load_slos(expand([str(file) for file in files]))
    if kind == "prometheus":
        text = prometheus_rules(slos, PrometheusOptions(interval, scrape_interval, runbook_url))
    else:
        text = dashboard(slos, scrape_interval)
    _write(text, output)
    if _tell(slos, scrape_interval) and strict:
        raise click.exceptions.Exit(1)


def _write(text: str, output: Path | None) -> None:
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(
            f"cannot be written: {reason}", where=str(output), remedy="name a file in a folder that can be written to"
        ) from None


def _tell(slos: SloSet, scrape_ns: int) -> int:
    """Say what was left out; how much that was."""
    found = [omission for slo in slos.slos for omission in omissions(slo, scrape_ns)]
    for omission in found:
        click.secho("warning: ", fg="yellow", nl=False, err=True)
        click.echo(str(omission), err=True)
    weighed = [slo.name for slo in slos.slos if judged_by_evidence(slo)]
    if weighed:
        click.echo(
            "note: Prometheus has no statistical gate and no sequential alert; the exported alerts are the plain "
            f"burn-rate rule: {', '.join(weighed)}", err=True,
        )  # fmt: skip
    return len(found)
