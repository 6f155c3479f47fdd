"""The command line. Each command lives in a module of its own that is imported when the command runs."""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click

import tailwatch
from telemetry.errors import ConfigError, TailwatchError

COMMANDS: Final[Mapping[str, str]] = {
    "serve": "tailwatch.cli.serve",
    "demo": "tailwatch.cli.demo",
    "slo": "tailwatch.cli.slo",
    "simulate": "tailwatch.cli.simulate",
    "alerts": "tailwatch.cli.alerts",
    "incident": "tailwatch.cli.incident",
    "hooks": "tailwatch.cli.hooks",
    "runbook": "tailwatch.cli.runbook",
    "reload": "tailwatch.cli.reload",
    "import": "tailwatch.cli.import_",
    "token": "tailwatch.cli.token",
    "audit": "tailwatch.cli.audit",
    "db": "tailwatch.cli.db",
    "settings": "tailwatch.cli.settings",
}
"""Command names, in the order of ``--help``, and the module whose ``command`` they are."""


class LazyGroup(click.Group):
    """A group that imports a command's module only when that command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the library's signature
        """Names of the commands, in order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - likewise
        """The command of that name, if there is one."""
        if cmd_name not in COMMANDS:
            return None
        with _keeping_all():
            command: click.Command = importlib.import_module(COMMANDS[cmd_name]).command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; an error raised on purpose becomes its sentence and exit status 2 (settings) or 1."""
        try:
            return super().invoke(ctx)
        except TailwatchError as error:
            click.echo(f"tailwatch: {error}", err=True)
            sys.exit(2 if isinstance(error, ConfigError) else 1)


@contextmanager
def _keeping_all() -> Iterator[None]:
    """Look for no garbage while modules are imported, and never among what they made: it stays, and looking costs."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(tailwatch.__version__, prog_name="tailwatch")
@click.option(
    "--config", type=click.Path(dir_okay=False, path_type=Path),
    help="Configuration file (else TAILWATCH_CONFIG, else ./tailwatch.yaml if it exists).",
)  # fmt: skip
@click.pass_context
def main(ctx: click.Context, config: Path | None) -> None:
    """Observability and SLO monitoring for AI inference."""
    ctx.obj = config
