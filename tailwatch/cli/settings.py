"""``tailwatch settings``: what is set, in effect, and what each setting means."""

from __future__ import annotations

import os
from pathlib import Path

import click

from storage.engines import display_name, parse_url
from tailwatch.settings import ENV_PREFIX, Settings, load_settings, unknown_variables
from telemetry.windows import format_duration


@click.command()
@click.pass_obj
def command(config: Path | None) -> None:
    """Show every setting with the value in effect; secrets are masked."""
    settings = load_settings(config)
    for name, field in Settings.model_fields.items():
        click.echo(f"{ENV_PREFIX}{name.upper()} = {show(settings, name)}")
        click.echo(f"    {field.description}")
    for sentence in unknown_variables(os.environ):
        click.echo(f"warning: {sentence}", err=True)


def show(settings: Settings, name: str) -> str:
    """The value of a setting as text, durations as durations, passwords masked."""
    value = getattr(settings, name)
    if name.endswith(("_retention", "_interval", "_horizon")):
        return "as raw_retention" if value is None else format_duration(value)
    if name == "database_url":
        return "(SQLite in data_dir)" if value is None else display_name(parse_url(value))
    if name == "alerting":
        return ", ".join(receiver.id for receiver in value.receivers) or "(no receivers)"
    if name == "anonymous_access":
        return value or "unset"
    if name in ("slos", "allowed_hosts"):
        return ", ".join(value) or "(none)"
    return "(none)" if value is None else str(value)
