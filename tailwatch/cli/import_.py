"""``tailwatch import``: requests of the past, from a file, counted as if they had just been sent."""

from __future__ import annotations

import re
from pathlib import Path

import click
from rich import progress as bars
from rich.console import Console

from collector.intake import Intake
from collector.request import Request
from storage.database import Database
from storage.settings import read_setting, write_setting
from tailwatch.importing.mapping import ColumnMapping, Constants
from tailwatch.importing.run import CheckedFile, ImportResult, Progress, check_file, import_file
from tailwatch.settings import load_settings
from tailwatch.store import Store, open_store
from telemetry.clock import SystemClock

_FEATURE = re.compile(r"([A-Za-z_][A-Za-z0-9_.]*)=(.+)")


@click.command(name="import")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--time", "time_column", required=True, help="Column with the start of the request.")
@click.option("--latency", help="Column with its duration in seconds.")
@click.option("--tokens-in", help="Column with input tokens.")
@click.option("--tokens-out", help="Column with output tokens.")
@click.option("--status", help="Column with an HTTP status, an error type, or ok.")
@click.option("--service", default="imported", show_default=True, help="Column with the service, else its name.")
@click.option("--model", default="", help="Column with the model, else its name.")
@click.option("--operation", default="chat", show_default=True, help="Operation of every request.")
@click.option("--feature", "features", multiple=True, metavar="NAME=COLUMN", help="A model input; repeatable.")
@click.option("--shift-to-now", is_flag=True, help="Move all times so that the last request started just now.")
@click.option("--again", is_flag=True, help="With --shift-to-now: import a file anew that was imported before.")
@click.pass_obj
def command(
    config: Path | None,
    file: Path,
    time_column: str,
    latency: str | None,
    tokens_in: str | None,
    tokens_out: str | None,
    status: str | None,
    service: str,
    model: str,
    operation: str,
    features: tuple[str, ...],
    shift_to_now: bool,
    again: bool,
) -> None:
    """Import FILE (.csv, .jsonl or .parquet): every row is one request.

    Rows go the way of spans that are sent: into the counters of the configured SLOs and, while raw rows are kept,
    into storage. Every row is checked before the first one is imported; importing the same file again counts
    nothing twice.
    """
    mapping = ColumnMapping(
        time=time_column, latency=latency, tokens_in=tokens_in, tokens_out=tokens_out, status=status,
        service=service, model=model or None, features=dict(_feature(text) for text in features),
    )  # fmt: skip
    console = Console(stderr=True)
    with open_store(load_settings(config), SystemClock()) as store, _bars(console) as progress:
        checking = progress.add_task("checking", total=None)
        constants = Constants(service=service, model=model, operation=operation)
        checked = check_file(file, mapping, constants, lambda rows: progress.advance(checking, rows))
        progress.update(checking, total=checked.rows)
        importing = progress.add_task("importing", total=checked.rows)
        shift_ns = _shift_ns(store.database, checked, again=again) if shift_to_now else 0
        result = _import(store, checked, operation, shift_ns, lambda rows: progress.advance(importing, rows))
        name = store.database.name
    _tell(result, name)


def _import(store: Store, checked: CheckedFile, operation: str, shift_ns: int, progress: Progress) -> ImportResult:
    intake = Intake(store.commit, SystemClock(), store.pipeline, workers=1)

    def submit(body: bytes) -> tuple[int, bool]:
        receipt = intake.submit(Request("span", "protobuf", body)).result()
        return receipt.rejected, receipt.repeated

    try:
        return import_file(checked, submit, operation=operation, shift_ns=shift_ns, progress=progress)
    finally:
        intake.close()


def _shift_ns(database: Database, checked: CheckedFile, *, again: bool) -> int:
    """How far to move the times: as far as the last time, or the same rows would not be known again."""
    key = f"import {checked.digest.hex()}"
    known = None if again else read_setting(database, key)
    if known is not None:
        return int(known)
    shift_ns = SystemClock().now_ns() - checked.last_ns
    write_setting(database, key, str(shift_ns))
    return shift_ns


def _tell(result: ImportResult, database: str) -> None:
    click.echo(f"{result.imported:,} of {result.rows:,} requests imported into {database}")
    if result.repeated:
        click.echo(
            f"{result.repeated:,} had been imported before and were not counted again (--again imports them anew)"
        )
    if result.rejected:
        click.echo(f"{result.rejected:,} were rejected, because their time is in the future; use --shift-to-now")
        raise click.exceptions.Exit(1)


def _feature(text: str) -> tuple[str, str]:
    found = _FEATURE.fullmatch(text)
    if found is None:
        raise click.BadParameter(
            f"{text!r} is not NAME=COLUMN; write for example lang=language", param_hint="--feature"
        )
    return found[1], found[2]


def _bars(console: Console) -> bars.Progress:
    columns = (
        bars.TextColumn("{task.description:<10}"), bars.BarColumn(), bars.MofNCompleteColumn(),
        bars.TimeRemainingColumn(),
    )  # fmt: skip
    return bars.Progress(*columns, console=console)
