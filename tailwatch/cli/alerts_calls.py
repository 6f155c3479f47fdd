"""``tailwatch alerts calls``: which services call which, as the running service has it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from tailwatch.cli.client import ask, service_url


@click.command()
@click.option("--url", help="Where the service listens; by default the http address of the settings.")
@click.pass_obj
def calls(config: Path | None, url: str | None) -> None:
    """Show which services call which, as declared and as seen in traces: their alerts may be one incident."""
    found = ask(service_url(config, url), "GET", "/api/v1/services/calls").json()["calls"]
    for one in found:
        how = ["declared"] if one["declared"] else []
        if one["last_seen"] is not None:
            seen = datetime.fromtimestamp(one["last_seen"], UTC)
            how.append(f"seen {one['calls']} times, last {seen:%Y-%m-%d %H:%M:%S} UTC")
        click.echo(f"{one['caller']} -> {one['called']}  {'; '.join(how)}")
    if not found:
        click.echo("no calls between services: none is declared under depends_on, and no trace has shown one")
