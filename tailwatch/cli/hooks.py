"""``tailwatch hooks``: see, run and approve response hooks, and stop them, on the running service."""

from __future__ import annotations

import getpass
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from tailwatch.cli.client import ask, service_url

_url = click.option("--url", help="Where the service listens; by default the http address of the settings.")
_author = click.option("--author", default=getpass.getuser, show_default="your login name", help="Who does it.")
_comment = click.option("--comment", default="", help="Why: it stays readable.")


@click.group()
def command() -> None:
    """See, run, stop and start the response hooks of the running service."""


@command.command("list")
@_url
@click.option("--json", "as_json", is_flag=True, help="The API's JSON document.")
@click.pass_obj
def listing(config: Path | None, url: str | None, as_json: bool) -> None:
    """Every hook: what it calls, when, whether it runs, and its latest runs."""
    document = ask(service_url(config, url), "GET", "/api/v1/hooks").json()
    if as_json:
        click.echo(json.dumps(document, indent=2))
    else:
        _show(document)


@command.command()
@click.argument("incident")
@click.argument("name")
@_author
@_comment
@_url
@click.pass_obj
def run(config: Path | None, incident: str, name: str, *, author: str, comment: str, url: str | None) -> None:
    """Run hook NAME for INCIDENT, or approve of the run that waits."""
    _say_of(config, incident, name, "", author, comment, url)


@command.command()
@click.argument("incident")
@click.argument("name")
@_author
@_comment
@_url
@click.pass_obj
def deny(config: Path | None, incident: str, name: str, *, author: str, comment: str, url: str | None) -> None:
    """Have the run of hook NAME that waits for approval for INCIDENT not be made."""
    _say_of(config, incident, name, "/deny", author, comment, url)


@command.command()
@click.argument("name", required=False)
@_author
@_comment
@_url
@click.pass_obj
def stop(config: Path | None, name: str | None, *, author: str, comment: str, url: str | None) -> None:
    """Stop hook NAME, or all of them, also what waits to be sent."""
    _switch("stop", config, name, author, comment, url)


@command.command()
@click.argument("name", required=False)
@_author
@_comment
@_url
@click.pass_obj
def start(config: Path | None, name: str | None, *, author: str, comment: str, url: str | None) -> None:
    """Let hook NAME, or all of them, run again, also after it paused itself."""
    _switch("start", config, name, author, comment, url)


def _say_of(
    config: Path | None, incident: str, name: str, what: str, author: str, comment: str, url: str | None
) -> None:
    path = f"/api/v1/incidents/{quote(incident, safe='')}/hooks/{quote(name, safe='')}{what}"
    found = ask(service_url(config, url), "POST", path, body={"author": author, "comment": comment}).json()
    click.echo(
        f"run {found['id']} of {found['hook']} for {found['incident']}: {found['state']} {found['note']}".strip()
    )


def _switch(verb: str, config: Path | None, name: str | None, author: str, comment: str, url: str | None) -> None:
    path = f"/api/v1/hooks/{quote(name, safe='')}/{verb}" if name else f"/api/v1/hooks/{verb}"
    _show(ask(service_url(config, url), "POST", path, body={"author": author, "comment": comment}).json())


def _show(document: dict[str, Any]) -> None:
    if not document["enabled"]:
        click.secho("all hooks are switched off", fg="yellow")
    if not document["hooks"]:
        click.echo("no hook is configured (alerting: hooks: actions:)")
    for hook in document["hooks"]:
        events = ", ".join(hook["on"]) or "by hand only"
        marks = "".join(
            f", {mark}" for mark, on in (("dry run", hook["dry_run"]), ("approval", hook["approval"])) if on
        )
        click.secho(hook["name"], bold=True, nl=False)
        click.echo(f"  {hook['target']}  on {events}{marks}")
        click.echo(f"    for incidents with {', '.join(hook['match']) or 'any labels'}")
        if hook["stopped"]:
            click.secho(f"    does not run: {hook['stopped']}", fg="yellow")
        for one in hook["runs"][-5:]:
            click.echo(f"    run {one['id']} for {one['incident']} ({one['event']}, {one['author']}): "
                       f"{one['state']} {one['note']}".rstrip())  # fmt: skip
