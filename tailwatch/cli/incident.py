"""``tailwatch incident``: see incidents of the running service, and do what is to be done about them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import click
from rich.console import Console
from rich.table import Table

from alerting.quieting import by_others, sentences
from alerting.texts import visible
from tailwatch.cli.client import ask, service_url
from tailwatch.cli.incident_acts import ACTS
from telemetry.windows import NANOS, format_duration

_FILE_WIDTH: Final = 160
_url = click.option("--url", help="Where the service listens; by default the http address of the settings.")


@click.group()
def command() -> None:
    """List and show incidents of the running service, take them on, and draft post-mortems."""


for _act in ACTS:
    command.add_command(_act)


@command.command("list")
@click.option("--status", type=click.Choice(["open", "acknowledged", "resolved"]), help="Only these.")
@click.option("--json", "as_json", is_flag=True, help="The API's JSON document.")
@_url
@click.pass_obj
def listing(config: Path | None, *, status: str | None, as_json: bool, url: str | None) -> None:
    """Incidents, the newest first: those that go on, unless --status says otherwise."""
    query = f"?status={status}" if status else ""
    document = ask(service_url(config, url), "GET", f"/api/v1/incidents{query}").json()
    found = [one for one in document["incidents"] if status or one["status"] != "resolved"]
    if as_json:
        click.echo(json.dumps({"incidents": found}, indent=2))
        return
    table = Table("incident", "severity", "status", "since (UTC)", "who", "what", box=None)
    for one in found:
        what = map(visible, (_who(one), one["title"]))
        table.add_row(one["id"], one["severity"], _status(one), _utc(one["opened_at"]), *what)
    terminal = Console()
    if found:
        (terminal if terminal.is_terminal else Console(width=_FILE_WIDTH)).print(table, markup=False)
    else:
        click.echo("no incidents" if status else "nothing goes on")


@command.command()
@click.argument("incident")
@click.option("--json", "as_json", is_flag=True, help="The API's JSON document.")
@_url
@click.pass_obj
def show(config: Path | None, incident: str, *, as_json: bool, url: str | None) -> None:
    """INCIDENT with its alerts, what was found, who hears of it, and its timeline."""
    document = ask(service_url(config, url), "GET", _path(incident)).json()
    click.echo(json.dumps(document, indent=2) if as_json else "\n".join(map(visible, _shown(document))))


@command.command()
@click.argument("incident")
@click.option(
    "--graphs", type=click.Choice(["mermaid", "svg"]), default="mermaid", show_default=True,
    help="How they are drawn: Mermaid, which GitHub and most wikis draw, or pictures within the text.",
)  # fmt: skip
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="A file, in place of the screen.")
@_url
@click.pass_obj
def postmortem(config: Path | None, incident: str, *, graphs: str, output: Path | None, url: str | None) -> None:
    """Draft the post-mortem of INCIDENT, as Markdown."""
    text = ask(service_url(config, url), "GET", f"{_path(incident)}/postmortem?graphs={graphs}").text
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.FileError(str(output), hint=error.strerror or "it cannot be written") from None


def _path(incident: str) -> str:
    return f"/api/v1/incidents/{quote(incident, safe='')}"


def _utc(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"


def _who(incident: Mapping[str, Any]) -> str:
    return str(incident["assignee"] or incident["acknowledged_by"] or "nobody")


def _status(incident: Mapping[str, Any]) -> str:
    """The status, and by what some of the alerts are kept quiet."""
    kinds = dict.fromkeys(one["kind"] for one in by_others(incident))
    return f"{incident['status']}, {', '.join(kinds)}" if kinds else str(incident["status"])


def _shown(incident: Mapping[str, Any]) -> Iterator[str]:
    evidence = incident["evidence"]
    yield f"{incident['id']}  {incident['title']}"
    yield f"{incident['severity']}, {incident['status']}, {_lasted(incident)}; in charge: {_who(incident)}"
    if incident["snoozed_until"] is not None and incident["status"] == "acknowledged":
        yield f"snoozed until {_utc(incident['snoozed_until'])} UTC"
    for sentence in sentences(incident):
        yield f"quiet: {sentence}"
    confidence = evidence.get("confidence")
    yield f"cause: {incident['cause']}" + ("" if confidence is None else f", {confidence:.0%} sure")
    yield str(evidence.get("summary") or "")
    yield f"runbook: tailwatch runbook render {incident['runbook']} --incident {incident['id']}"
    yield ""
    for alert in incident["alerts"]:
        labels = ", ".join(f"{name}={value}" for name, value in sorted(alert["labels"].items()) if name != "alertname")
        yield f"{alert['state']:<10}  {alert['name']}  {labels}{_kept(alert.get('status') or {})}"
    yield ""
    if not incident["hearing"]:
        goes_on = incident["merged_into"]
        yield f"told as {goes_on}" if goes_on else "nobody hears of it: no receiver is configured"
    yield from _heard(incident["hearing"])
    yield ""
    for event in incident["timeline"]:
        yield f"{_utc(event['at'])}  {event['author']:<12}  {event['kind']:<12}  {event['text']}"


def _heard(hearing: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """How each receiver stands to it; those that no route leads to in one line."""
    for one in hearing:
        if one["state"] != "unrouted":
            told = "" if one["told_at"] is None else f" (last told {_utc(one['told_at'])} UTC)"
            yield f"{one['state']:<12}  {one['receiver']}  {one['text']}{told}"
    if rest := [one["receiver"] for one in hearing if one["state"] == "unrouted"]:
        yield f"{'unrouted':<12}  {', '.join(rest)}"


def _kept(status: Mapping[str, Any]) -> str:
    words = {"silencedBy": "silenced by", "inhibitedBy": "inhibited by", "mutedBy": "muted by"}
    kept = [f"{word} {', '.join(status[key])}" for key, word in words.items() if status.get(key)]
    return f"  ({'; '.join(kept)})" if kept else ""


def _lasted(incident: Mapping[str, Any]) -> str:
    since = f"since {_utc(incident['opened_at'])} UTC"
    if incident["resolved_at"] is None:
        return since
    lasted = format_duration(round(max(incident["resolved_at"] - incident["opened_at"], 0)) * NANOS)
    return f"{since}, for {lasted}"
