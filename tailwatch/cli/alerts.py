"""``tailwatch alerts``: check the alerting section, and say who would be told of an alert."""

from __future__ import annotations

from pathlib import Path

import click

from alerting.config import AlertingConfig
from alerting.lint import lint as lint_alerting
from alerting.routing import Route, format_labels, matching
from tailwatch.settings import load_settings
from telemetry.clock import SystemClock
from telemetry.errors import ConfigError
from telemetry.windows import format_duration


@click.group()
def command() -> None:
    """Check the alerting section of tailwatch.yaml, and see who would be told."""


@command.command()
@click.option("--strict", is_flag=True, help="Exit status 1 for warnings too.")
@click.pass_obj
def lint(config: Path | None, strict: bool) -> None:
    """Check receivers, routes, inhibition rules and time intervals. Exit status 2 when they cannot be used."""
    alerting: AlertingConfig = load_settings(config).alerting
    warnings = lint_alerting(alerting)
    for warning in warnings:
        click.secho("warning: ", fg="yellow", nl=False)
        click.echo(str(warning))
    receivers = len({receiver.name for receiver in alerting.receivers})
    click.echo(
        f"{receivers} receiver{'s' if receivers != 1 else ''}, {len(warnings)} warning{'s' * (len(warnings) != 1)}"
    )
    if warnings and strict:
        raise click.exceptions.Exit(1)


@command.command("test-route")
@click.argument("labels", nargs=-1, required=True, metavar="NAME=VALUE...")
@click.pass_obj
def test_route(config: Path | None, labels: tuple[str, ...]) -> None:
    """Say who would be told, now, of an alert with these labels, such as severity=page service=chat."""
    alerting: AlertingConfig = load_settings(config).alerting
    if alerting.route is None:
        raise ConfigError("there are no receivers", where="alerting", remedy="list them under alerting: receivers:")
    alert = _labels(labels)
    now_ns = SystemClock().now_ns()
    for route, path in matching(alerting.route, alert):
        click.echo(f"{route.receiver}  {path}")
        click.echo(f"    {_timing(route, alert)}")
        muted = route.mute_reason(now_ns)
        if muted:
            click.secho(f"    muted now: {muted}", fg="yellow")
    for place, rule in enumerate(alerting.inhibit_rules):
        if rule.target.accepts(alert):
            wanted = {name: alert.get(name, "") for name in rule.equal}
            like = f" with {format_labels(wanted)}" if wanted else ""
            click.echo(f"quiet while an alert {rule.source}{like} fires (inhibit_rules[{place}])")


def _timing(route: Route, alert: dict[str, str]) -> str:
    groups = ", ".join(["incident", *(name for name in route.group_by if name == "..." or name in alert)])
    wait, interval, repeat = (
        format_duration(duration_ns)
        for duration_ns in (route.timing.group_wait_ns, route.timing.group_interval_ns, route.timing.repeat_interval_ns)
    )
    return f"grouped by {groups}; told after {wait}, of more alerts every {interval}, reminded every {repeat}"


def _labels(texts: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise click.UsageError(f"{text!r} is not a label: write NAME=VALUE, such as severity=page")
        found[name] = value.strip('"')
    return found
