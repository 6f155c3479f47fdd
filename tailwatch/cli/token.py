"""``tailwatch token``: make, list, rotate and revoke tokens, on the database itself, so that no server need run."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from storage import tokens
from storage.database import Database
from storage.tokens import StoredToken
from tailwatch.access.scopes import SCOPES, Scope
from tailwatch.access.secret import digest_of, new_secret
from tailwatch.cli.durations import duration
from tailwatch.cli.person import person
from tailwatch.settings import load_settings
from telemetry.clock import SystemClock
from telemetry.errors import TailwatchError
from telemetry.windows import NANOS, format_duration, told_time

_WIDTH = 160
_LONGEST_NAME = 100


def _lifetime(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    lifetime_ns = duration(ctx, param, value)
    if lifetime_ns <= 0:
        raise click.BadParameter("write how long it shall count: 90d", ctx, param)
    return lifetime_ns


@click.group()
def command() -> None:
    """Make and end the tokens with which programs and people use the service.

    Running servers follow within seconds. From the first token on, every request needs one.
    """


@command.command()
@click.argument("name")
@click.option(
    "--scope", "scopes", multiple=True, required=True, type=click.Choice(SCOPES),
    help="ingest: send telemetry. read: look at everything. respond: read, and act on incidents. admin: everything.",
)  # fmt: skip
@click.option("--expires", callback=_lifetime, help="It ends by itself after this time: 90d. By default it does not.")
@click.pass_obj
def create(config: Path | None, name: str, scopes: tuple[Scope, ...], expires: int | None) -> None:
    """Make the token NAME, and print its secret, this once."""
    now_ns = SystemClock().now_ns()
    expires_ns = None if expires is None else now_ns + expires
    secret = new_secret()
    kept = [scope for scope in SCOPES if scope in scopes]
    with _database(config) as database:
        tokens.create(
            database, _checked(name), kept, digest_of(secret), expires_ns=expires_ns, now_ns=now_ns, actor=person()
        )
    click.echo(
        f"{name} may {', '.join(kept)}. Its secret is shown this once; keep it where secrets are kept:", err=True
    )
    click.echo(secret)


@command.command("list")
@click.option("--all", "show_all", is_flag=True, help="Those that have ended, too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def listing(config: Path | None, *, show_all: bool, as_json: bool) -> None:
    """List tokens: what they may do, and when they were last used."""
    now_ns = SystemClock().now_ns()
    with _database(config) as database:
        found = [one for one in tokens.load(database) if show_all or one.is_living(now_ns)]
    if as_json:
        click.echo(json.dumps({"tokens": [_document(one, now_ns) for one in found]}, indent=2))
        return
    table = Table("name", "scopes", "created", "by", "last used", "ends", "state", box=None)
    for one in found:
        times = (
            told_time(one.created_ns), one.created_by, _or(one.last_used_ns, "never"), _or(one.expires_ns, "never"),
        )  # fmt: skip
        table.add_row(one.name, ", ".join(one.scopes), *times, _state(one, now_ns))
    width = None if sys.stdout.isatty() else _WIDTH
    Console(width=width, markup=False).print(table)


@command.command()
@click.argument("name")
@click.option(
    "--overlap",
    callback=duration,
    default="1d",
    show_default=True,
    help="How long the old secret counts yet; 0: no more.",
)
@click.option("--expires", callback=_lifetime, help="Lifetime of the new secret; by default that of the old.")
@click.pass_obj
def rotate(config: Path | None, name: str, overlap: int, expires: int | None) -> None:
    """Give the token NAME a new secret, and print it, this once."""
    secret = new_secret()
    with _database(config) as database:
        tokens.rotate(
            database, name, digest_of(secret), overlap_ns=overlap, lifetime_ns=expires,
            now_ns=SystemClock().now_ns(), actor=person(),
        )  # fmt: skip
    click.echo(f"{name} has a new secret, shown this once; {_until(overlap)}:", err=True)
    click.echo(secret)


@command.command()
@click.argument("name")
@click.pass_obj
def revoke(config: Path | None, name: str) -> None:
    """End the token NAME, with all its secrets, at once."""
    with _database(config) as database:
        tokens.revoke(database, name, now_ns=SystemClock().now_ns(), actor=person())
    click.echo(f"{name} is revoked; running servers refuse it within seconds")


@contextmanager
def _database(config: Path | None) -> Iterator[Database]:
    database = Database(load_settings(config).url)
    try:
        database.upgrade()
        yield database
    finally:
        database.close()


def _checked(name: str) -> str:
    if not name.strip() or len(name) > _LONGEST_NAME or not name.isprintable():
        raise TailwatchError(
            f"{name[:_LONGEST_NAME]!r} is no name for a token", remedy="take a short word, such as exporters or ci"
        )
    return name


def _or(time_ns: int | None, otherwise: str) -> str:
    return otherwise if time_ns is None else told_time(time_ns)


def _until(overlap_ns: int) -> str:
    return f"the old one counts for {format_duration(overlap_ns)} more" if overlap_ns else "the old one counts no more"


def _state(one: StoredToken, now_ns: int) -> str:
    if one.revoked_ns is not None:
        return "revoked"
    return "in force" if one.is_living(now_ns) else "expired"


def _document(one: StoredToken, now_ns: int) -> dict[str, Any]:
    """Times in seconds since the epoch."""
    times = {
        "created": one.created_ns, "last_used": one.last_used_ns, "expires": one.expires_ns, "revoked": one.revoked_ns,
    }  # fmt: skip
    return {
        "name": one.name, "scopes": list(one.scopes), "created_by": one.created_by, "state": _state(one, now_ns),
        **{name: None if time is None else time / NANOS for name, time in times.items()},
    }  # fmt: skip
