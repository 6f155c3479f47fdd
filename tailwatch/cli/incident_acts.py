"""What people do to an incident from the command line: one command for each action of the API."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

import click

from tailwatch.cli.client import ask, service_url
from tailwatch.cli.durations import duration
from telemetry.clock import SystemClock
from telemetry.windows import NANOS

_Command = TypeVar("_Command", bound=Callable[..., None])


def _options(*, comment: bool = True) -> Callable[[_Command], _Command]:
    """INCIDENT, and what every action is told: who, why, and where the service is."""

    def add(command: _Command) -> _Command:
        command = click.pass_obj(command)  # type: ignore[assignment]  # it is the same command, with one argument given
        command = click.option("--url", help="Where the service listens; by default that of the settings.")(command)
        if comment:
            command = click.option("--comment", "-m", default="", help="What to say with it.")(command)
        help_text = "Who does it."
        command = click.option("--author", default=getpass.getuser, show_default="your login name", help=help_text)(
            command
        )
        return click.argument("incident")(command)

    return add


@click.command()
@_options()
def acknowledge(config: Path | None, incident: str, author: str, comment: str, url: str | None) -> None:
    """Say that you work on INCIDENT: reminders and escalations stop."""
    _do(config, url, incident, "acknowledge", author=author, comment=comment)


@click.command()
@_options()
@click.option("--for", "span", required=True, callback=duration, help="How long: 30m, 2h.")
def snooze(config: Path | None, incident: str, author: str, comment: str, url: str | None, span: int) -> None:
    """Acknowledge INCIDENT for a while; if it still goes on then, it is open again, and told."""
    until = (SystemClock().now_ns() + span) / NANOS
    _do(config, url, incident, "snooze", author=author, comment=comment, until=until)


@click.command()
@_options(comment=False)
@click.argument("assignee", required=False)
def assign(config: Path | None, incident: str, author: str, url: str | None, assignee: str | None) -> None:
    """Put ASSIGNEE in charge of INCIDENT; without one, nobody any more."""
    _do(config, url, incident, "assign", author=author, assignee=assignee)


@click.command()
@_options(comment=False)
@click.argument("text")
def comment(config: Path | None, incident: str, author: str, url: str | None, text: str) -> None:
    """Write TEXT into the timeline of INCIDENT."""
    _do(config, url, incident, "comment", author=author, comment=text)


@click.command()
@_options()
@click.argument("severity", type=click.Choice(["page", "ticket"]))
def reclassify(config: Path | None, incident: str, author: str, comment: str, url: str | None, severity: str) -> None:
    """Say that INCIDENT is worth a page, or only a ticket."""
    _do(config, url, incident, "reclassify", author=author, comment=comment, severity=severity)


@click.command()
@_options()
@click.argument("into")
def merge(config: Path | None, incident: str, author: str, comment: str, url: str | None, into: str) -> None:
    """Let incident INTO go on with everything that INCIDENT has; there is no way back."""
    _do(config, url, incident, "merge", author=author, comment=comment, into=into)


@click.command()
@_options()
def resolve(config: Path | None, incident: str, author: str, comment: str, url: str | None) -> None:
    """Say that INCIDENT is over; if its alerts keep firing, it is re-opened."""
    _do(config, url, incident, "resolve", author=author, comment=comment)


@click.command()
@_options()
def reopen(config: Path | None, incident: str, author: str, comment: str, url: str | None) -> None:
    """Say that INCIDENT is not over after all."""
    _do(config, url, incident, "reopen", author=author, comment=comment)


ACTS: Final = (acknowledge, snooze, assign, comment, reclassify, merge, resolve, reopen)


def _do(config: Path | None, url: str | None, incident: str, act: str, **said: Any) -> None:
    """Ask the service for it, and say how the incident stands then."""
    path = f"/api/v1/incidents/{quote(incident, safe='')}/{act}"
    found = ask(service_url(config, url), "POST", path, body=said).json()
    who = found["assignee"] or found["acknowledged_by"]
    merged = f", merged into {found['merged_into']}" if found["merged_into"] else ""
    click.echo(f"{found['id']}  {found['severity']}, {found['status']}{merged}{f', {who}' if who else ''}")
