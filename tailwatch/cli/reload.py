"""``tailwatch reload``: ask the running service to read its files anew, and say how that went."""

from __future__ import annotations

from pathlib import Path

import click
import httpx

from tailwatch.settings import load_settings
from telemetry.errors import TailwatchError

_PATIENCE_S = 600.0
"""The answer comes when new SLOs have been counted from stored rows."""
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - compared with, not bound


@click.command("reload")
@click.option("--url", help="Where the service listens; by default the http address of the settings.")
@click.pass_obj
def command(config: Path | None, url: str | None) -> None:
    """Put SLO files, prices and the alerting section in force without a restart; exit status 1, and why, on errors."""
    if url is None:
        address = load_settings(config).http_address
        url = f"http://{_ANYWHERE.get(address.host, address.host)}:{address.port}"
    try:
        answer = httpx.post(f"{url}/api/v1/config/reload", timeout=_PATIENCE_S)
        document = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise TailwatchError(
            f"the service gave no answer: {error}", where=url, remedy="check that it runs, or give another --url"
        ) from None
    for problem in document.get("problems", ()):
        place = f"{problem['file']}:{problem['line']}" if problem["line"] else problem["file"]
        field = f" {problem['field']}:" if problem["field"] else ""
        click.secho("error: ", fg="red", nl=False)
        click.echo(f"{place}:{field} {problem['message']} ({problem['remedy']})")
    if answer.is_error:
        click.echo(f"{document['error']['what']}; everything goes on as it was")
        raise click.exceptions.Exit(1)
    click.echo("reloaded")
    for name in document["restart_for"]:
        click.echo(f"{name} was changed: restart the service to put it in force")
