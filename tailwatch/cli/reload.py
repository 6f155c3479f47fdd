"""``tailwatch reload``: ask the running service to read its files anew, and say how that went."""

from __future__ import annotations

from pathlib import Path

import click

from tailwatch.cli.client import exchange, refusal, service_url

_PATIENCE_S = 600.0
"""The answer comes when new SLOs have been counted from stored rows."""
_FAULTY = 422
"""The files hold errors; the answer lists them."""


@click.command("reload")
@click.option("--url", help="Where the service listens; by default the http address of the settings.")
@click.pass_obj
def command(config: Path | None, url: str | None) -> None:
    """Put SLO files, prices and the alerting section in force without a restart; exit status 1, and why, on errors."""
    at = service_url(config, url)
    answer = exchange(at, "POST", "/api/v1/config/reload", patience_s=_PATIENCE_S)
    if answer.is_error and answer.status_code != _FAULTY:
        raise refusal(answer, at)
    document = answer.json()
    for problem in document.get("problems", ()):
        place = f"{problem['file']}:{problem['line']}" if problem["line"] else problem["file"]
        field = f" {problem['field']}:" if problem["field"] else ""
        click.secho("error: ", fg="red", nl=False)
        remedy = f" ({problem['remedy']})" if problem["remedy"] else ""
        click.echo(f"{place}:{field} {problem['message']}{remedy}")
    if answer.is_error:
        click.echo(f"{document['error']['what']}; everything goes on as it was")
        raise click.exceptions.Exit(1)
    click.echo("reloaded")
    for name in document["restart_for"]:
        click.echo(f"{name} was changed: restart the service to put it in force")
