"""``tailwatch alerts undelivered``: notifications that were given up, on the running service, and once more."""

from __future__ import annotations

import getpass
from pathlib import Path

import click

from tailwatch.cli.client import ask, service_url

_PATH = "/api/v1/notifications/undelivered"


@click.command()
@click.option("--retry", "number", metavar="ID", help="Try this one again; all: every one.")
@click.option("--author", default=getpass.getuser, show_default="your login name", help="Who asks.")
@click.option("--url", help="Where the service listens; by default the http address of the settings.")
@click.pass_obj
def undelivered(config: Path | None, number: str | None, author: str, url: str | None) -> None:
    """What receivers refused or could not be sent, and why; or try it again, once the reason is gone."""
    if number is not None and number != "all" and not (number.isascii() and number.isdigit()):
        raise click.BadParameter("write the number from the list, or all", param_hint="--retry")
    service = service_url(config, url)
    if number is None:
        for one in ask(service, "GET", _PATH).json()["undelivered"]:
            click.echo(f"{one['id']}  {one['incident']}  {one['receiver']}  {one['reason']}  {one['error']}")
        return
    path = f"{_PATH}/retry" if number == "all" else f"{_PATH}/{number}/retry"
    retried = ask(service, "POST", path, body={"author": author}).json()["retried"]
    for one in retried:
        click.echo(f"{one['id']}  {one['incident']}  {one['receiver']} is told again ({one['reason']})")
    if not retried:
        click.echo("nothing was given up")
