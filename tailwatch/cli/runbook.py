"""``tailwatch runbook``: list and check runbooks, and read one filled with an incident of the running service."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import click
from rich.console import Console
from rich.table import Table

from alerting.runbooks.library import RunbookLibrary
from alerting.runbooks.lint import lint as lint_folder
from tailwatch.cli.client import ask, service_url
from tailwatch.settings import load_settings
from telemetry.errors import ConfigError

_FILE_WIDTH = 160


@click.group()
def command() -> None:
    """List and check runbooks, and read one filled with an incident."""


@command.command("list")
@click.pass_obj
def listing(config: Path | None) -> None:
    """Every runbook: the shipped ones, and those of your folder, which come first."""
    terminal = Console()
    console = terminal if terminal.is_terminal else Console(width=_FILE_WIDTH)
    table = Table("name", "title", "causes", "SLIs", "whose", box=None)
    for one in RunbookLibrary(load_settings(config).alerting.runbooks).all():
        whose = "shipped" if one.document()["shipped"] else "yours"
        table.add_row(one.name, one.title, ", ".join(one.causes), ", ".join(one.slis), whose)
    console.print(table)


@command.command()
@click.argument("folder", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--strict", is_flag=True, help="Exit status 1 for warnings too.")
@click.pass_obj
def lint(config: Path | None, folder: Path | None, strict: bool) -> None:
    """Check the runbooks in FOLDER, by default that of the settings. Exit status 1 when one cannot be used."""
    chosen = folder or load_settings(config).alerting.runbooks
    if chosen is None:
        raise ConfigError("there is no folder to check", where="alerting", remedy="name one, or set runbooks: there")
    problems = lint_folder(chosen)
    for problem in problems:
        click.secho(f"{problem.severity}: ", fg="red" if problem.severity == "error" else "yellow", nl=False)
        click.echo(str(problem))
    files = len(list(chosen.glob("*.md")))
    click.echo(f"{files} runbook{'s' * (files != 1)}, {len(problems)} problem{'s' * (len(problems) != 1)}")
    if any(strict or problem.severity == "error" for problem in problems):
        raise click.exceptions.Exit(1)


@command.command()
@click.argument("name")
@click.option("--incident", required=True, help="Such as INC-7.")
@click.option("--format", "form", type=click.Choice(["markdown", "html"]), default="markdown", show_default=True)
@click.option("--url", help="Where the service listens; by default the http address of the settings.")
@click.pass_obj
def render(config: Path | None, name: str, incident: str, *, form: str, url: str | None) -> None:
    """Runbook NAME for an incident of the running service, with its evidence and what the counters say now."""
    path = f"/api/v1/incidents/{quote(incident, safe='')}/runbooks/{quote(name, safe='')}"
    found = ask(service_url(config, url), "GET", path).json()
    if form == "markdown":
        click.echo(found["markdown"], nl=False)
    else:
        from tailwatch.cli.runbook_page import page  # noqa: PLC0415 - only HTML needs the parser

        click.echo(page(found["title"], found["markdown"]), nl=False)
