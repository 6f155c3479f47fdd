"""``tailwatch slo lint``: everything that is wrong with SLO files, or does not fit the traffic there is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

import click

from alerting.runbooks.library import RunbookLibrary
from detectors.slo.lint import lint as lint_slos
from detectors.slo.observed import lint_observed
from detectors.slo.parse import read_openslo_files, read_slos
from detectors.slo.spec import SloSet
from storage.database import Database
from tailwatch.catalogue import expand, too_long
from tailwatch.observing import observe
from tailwatch.settings import Settings, load_settings
from telemetry.clock import SystemClock
from telemetry.errors import ConfigError, DurationError, Problem
from telemetry.windows import parse_duration

_COLOURS: Final = {"error": "red", "warning": "yellow", "suggestion": "cyan"}
_GITHUB: Final = {"error": "error", "warning": "warning", "suggestion": "notice"}


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--openslo", is_flag=True, help="FILES are OpenSLO v1 documents, and nothing else.")
@click.option("--strict", is_flag=True, help="With --openslo: refuse what only the specification's examples do.")
@click.option("--data", is_flag=True, help="Hold the SLOs against the records in the database, too; it is only read.")
@click.option("--since", default="7d", show_default=True, help="With --data: how far back to look.")
@click.option(
    "--format", "shape", type=click.Choice(["text", "json", "github"]), default="text", show_default=True,
    help="github: annotations for a workflow.",
)  # fmt: skip
@click.pass_obj
def lint(
    config: Path | None, files: tuple[Path, ...], openslo: bool, strict: bool, data: bool, since: str, shape: str
) -> None:
    """Check FILES, by default the configured ones: every finding with file, line, field and remedy.

    Exit status: 0 without errors (there may be warnings and suggestions), 1 with errors, 2 when the check itself cannot
    be made: options that contradict each other, settings, or no database to look into.
    """
    if strict and not openslo:
        raise click.UsageError("--strict is for OpenSLO documents: add --openslo")
    settings = load_settings(config)
    names = [str(file) for file in files] or settings.slos
    if not names:
        raise ConfigError(
            "there are no SLOs", where="slos", remedy="name files, or list them under slos: in tailwatch.yaml"
        )
    slos, problems = _check(settings, names, strict=strict if openslo else None)
    if data:
        problems += _hold_against_data(settings, slos, since)
    _SHAPES[shape](slos, problems)
    if any(problem.severity == "error" for problem in problems):
        raise click.exceptions.Exit(1)


def _check(settings: Settings, names: Sequence[str], strict: bool | None) -> tuple[SloSet, list[Problem]]:
    """The SLOs that could be read, and what is wrong with the files; ``strict`` is None for native ones."""
    paths = expand(names)
    slos, problems = read_slos(paths) if strict is None else read_openslo_files(paths, strict)
    problems = [*problems, *lint_slos(slos, RunbookLibrary(settings.alerting.runbooks).names)]
    return slos, [*problems, *too_long(slos, settings.rollup_retention)]


def _hold_against_data(settings: Settings, slos: SloSet, since: str) -> list[Problem]:
    try:
        since_ns = parse_duration(since)
    except DurationError as error:
        raise click.UsageError(f"--since: {error}") from None
    if settings.database_url is None and not (settings.data_dir / "tailwatch.db").exists():
        raise ConfigError(
            "there is no database to look into", where=str(settings.data_dir),
            remedy="check --config and data_dir, or leave --data out",
        )  # fmt: skip
    now_ns = SystemClock().now_ns()
    with Database(settings.url) as database:
        database.check_schema()
        seen = observe(database, slos, since_ns=now_ns - since_ns, now_ns=now_ns, max_groups=settings.max_groups)
    found = [(slo, seen[slo.name]) for slo in slos.slos if slo.name in seen]
    return [problem for slo, one in found for problem in lint_observed(slo, one, settings.max_groups)]


def _as_text(slos: SloSet, problems: Sequence[Problem]) -> None:
    for problem in problems:
        click.secho(f"{problem.severity}: ", fg=_COLOURS[problem.severity], nl=False)
        click.echo(str(problem))
    errors = _errors(problems)
    if errors:
        click.echo(f"{errors} error{'s' if errors > 1 else ''}")
    else:
        click.echo(f"{len(slos)} SLO{'s' if len(slos) != 1 else ''} without errors")


def _as_json(slos: SloSet, problems: Sequence[Problem]) -> None:
    document = {"slos": len(slos), "errors": _errors(problems), "findings": [asdict(problem) for problem in problems]}
    click.echo(json.dumps(document, indent=2))


def _as_annotations(_: SloSet, problems: Sequence[Problem]) -> None:
    """Workflow commands, which GitHub shows beside the lines of a change."""
    for problem in problems:
        text = f"{problem.message} ({problem.remedy})" if problem.remedy else problem.message
        line = f",line={problem.line}" if problem.line else ""
        place = f"file={_property(problem.file)}{line},title={_property(problem.field or 'SLO file')}"
        click.echo(f"::{_GITHUB[problem.severity]} {place}::{_escaped(text)}")


_SHAPES: Final = {"text": _as_text, "json": _as_json, "github": _as_annotations}


def _errors(problems: Sequence[Problem]) -> int:
    return sum(problem.severity == "error" for problem in problems)


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
