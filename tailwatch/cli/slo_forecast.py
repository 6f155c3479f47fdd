"""``tailwatch slo forecast``: when budgets will be exhausted, from the database; no server needs to run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from detectors.slo.calendar import is_zone
from detectors.slo.parse import load_slos
from storage.database import Database
from tailwatch.catalogue import expand
from tailwatch.forecasts import document_of, forecast_group, stored_groups, zone_of
from tailwatch.settings import load_settings
from telemetry.clock import SystemClock
from telemetry.deltas import group_key
from telemetry.errors import NotFoundError, TailwatchError


@click.command()
@click.argument("name")
@click.option("--group", "labels", multiple=True, metavar="LABEL=VALUE", help="One group; without it, every group.")
@click.option("--timezone", help="Zone of the times told, such as Europe/Berlin; else the SLO's own, or UTC.")
@click.option("--json", "as_json", is_flag=True, help="The API's JSON documents, with the course of each forecast.")
@click.pass_obj
def forecast(config: Path | None, name: str, labels: tuple[str, ...], *, timezone: str | None, as_json: bool) -> None:
    """When the budget of SLO NAME will be exhausted, and what will be left of it, with 80 % intervals."""
    if timezone is not None and not is_zone(timezone):
        raise TailwatchError(f"there is no time zone {timezone}", where="--timezone", remedy="write Europe/Berlin")
    settings = load_settings(config)
    slo = load_slos(expand(settings.slos)).named(name)
    if slo is None:
        raise NotFoundError(f"there is no SLO {name}", where="NAME", remedy="tailwatch slo status lists them")
    database = Database(settings.url)
    try:
        database.upgrade()
        now_ns = SystemClock().now_ns()
        groups = [group_key(_group(labels))] if labels else stored_groups(database, slo, now_ns)
        documents: list[dict[str, Any]] = [
            {"slo": name, "group": json.loads(group)}
            | document_of(forecast_group(database, slo, group, now_ns), timezone or zone_of(slo))
            for group in groups
        ]
    finally:
        database.close()
    if as_json:
        click.echo(json.dumps({"forecasts": documents}, indent=2))
        return
    if not documents:
        click.echo(f"{name}: no counts yet, so there is nothing to forecast")
    for document in documents:
        named = ", ".join(f"{label}={value or '(none)'}" for label, value in document["group"].items())
        click.echo(f"{name}{f' ({named})' if named else ''}: {document['sentence']}")


def _group(labels: tuple[str, ...]) -> dict[str, str]:
    wrong = [text for text in labels if "=" not in text]
    if wrong:
        raise click.UsageError(f"--group {wrong[0]}: write LABEL=VALUE")
    return dict(text.split("=", 1) for text in labels)
