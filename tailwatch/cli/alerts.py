"""``tailwatch alerts``: check the alerting section, say who would be told, and how it did."""

from __future__ import annotations

from pathlib import Path

import click

from alerting.config import AlertingConfig, parse_alerting
from alerting.hooks.hook import Hook, HookRules
from alerting.lint import lint as lint_alerting
from alerting.routing import Route, format_labels, matching
from tailwatch.cli.alerts_calls import calls
from tailwatch.cli.alerts_hindsight import figures, noise
from tailwatch.cli.alerts_undelivered import undelivered
from tailwatch.settings import load_settings, read_document
from telemetry.clock import SystemClock
from telemetry.errors import ConfigError
from telemetry.windows import format_duration


@click.group()
def command() -> None:
    """Check the alerting section of tailwatch.yaml, see who would be told, and how noisy it was."""


command.add_command(calls)
command.add_command(figures)
command.add_command(noise)
command.add_command(undelivered)


@command.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="Exit status 1 for warnings too.")
@click.pass_obj
def lint(config: Path | None, file: Path | None, strict: bool) -> None:
    """Check receivers, routes, inhibition rules and time intervals. Exit status 2 when they cannot be used.

    With FILE, an Alertmanager's configuration, say whether it could stand under alerting:, and what to change.
    """
    if file is None:
        alerting = load_settings(config).alerting
    else:
        alerting = parse_alerting(read_document(file, "FILE"), folder=file.parent, where="", file=file)
    warnings = lint_alerting(alerting)
    for warning in warnings:
        click.secho("warning: ", fg="yellow", nl=False)
        click.echo(str(warning))
    receivers = len(alerting.receiver_names)
    click.echo(
        f"{receivers} receiver{'s' if receivers != 1 else ''}, {len(warnings)} warning{'s' * (len(warnings) != 1)}"
    )
    for hook in alerting.hooks.hooks:
        click.echo(f"hook {hook.name}: {hook.target} on {', '.join(hook.on) or 'nothing but by hand'}")
    if warnings and strict:
        raise click.exceptions.Exit(1)


@command.command("test-route")
@click.argument("labels", nargs=-1, required=True, metavar="NAME=VALUE...")
@click.pass_obj
def test_route(config: Path | None, labels: tuple[str, ...]) -> None:
    """Say who would be told, now, and which hooks could run, for labels such as severity=page service=chat."""
    alerting: AlertingConfig = load_settings(config).alerting
    if alerting.route is None and not alerting.hooks.hooks:
        raise ConfigError("there are no receivers", where="alerting", remedy="list them under alerting: receivers:")
    alert = _labels(labels)
    now_ns = SystemClock().now_ns()
    for route, path in [] if alerting.route is None else matching(alerting.route, alert):
        click.echo(f"{route.receiver}  {path}" + ("  (tells nobody)" if route.receiver in alerting.unheard else ""))
        click.echo(f"    {_timing(route, alert)}")
        muted = route.mute_reason(now_ns)
        if muted:
            click.secho(f"    muted now: {muted}", fg="yellow")
    for place, rule in enumerate(alerting.inhibit_rules):
        if rule.target.accepts(alert):
            wanted = {name: alert.get(name, "") for name in rule.equal}
            like = f" with {format_labels(wanted)}" if wanted else ""
            click.echo(f"quiet while an alert {rule.source}{like} fires (inhibit_rules[{place}])")
    for hook in alerting.hooks.hooks:
        if hook.match.accepts(alert):
            _tell_hook(hook, alerting.hooks)


def _tell_hook(hook: Hook, rules: HookRules) -> None:
    events = ", ".join(hook.on) or "only when a person runs it"
    click.echo(f"hook {hook.name}  {hook.target}")
    sure = f", from a confidence of {hook.min_confidence:g}" if "verdict" in hook.on else ""
    limits = f"at most {hook.per_incident} an incident and {hook.per_hour} an hour"
    click.echo(f"    on {events}{sure}; {limits}{'; after approval' if hook.approval else ''}")
    if hook.dry_run or not rules.enabled:
        click.secho(
            "    nothing is sent: " + ("dry_run is on" if hook.dry_run else "hooks are not enabled"), fg="yellow"
        )


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
