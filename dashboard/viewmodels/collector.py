"""The collector's page: tiles, what became of requests and records, senders' clocks, collectors; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dashboard import formats
from dashboard.components.grid import Cell, Column, Grid, Row, Tone
from dashboard.components.tiles import Tile
from dashboard.documents.collector import Collector, CollectorStatus, Decoder, Rejected, Source

QUEUE_WARNS = 0.5
QUEUE_FULL = 0.9

_CONCERN_TONES: Mapping[str, Tone] = {"ahead": "exhausted", "behind_or_late": "burning"}
_DECODER_TONES: Mapping[str, Tone] = {"ready": "ok", "compiling": "burning", "unavailable": "burning"}


def tiles(status: CollectorStatus) -> list[Tile]:
    """The figures at the top of the page."""
    rates = status.rates
    over = f"last {formats.seconds(round(rates.over_s))}" if rates.over_s else "measuring"
    spark = [point.records_per_s or 0.0 for point in rates.history]
    return [
        Tile("Records per second", _rate(rates.records_per_s), over, None, spark),
        Tile("Requests per second", _rate(rates.requests_per_s), f"{formats.size(rates.bytes_per_s)}/s"),
        _queue_tile(status),
        _refused_tile(status),
        _rejected_tile(status),
        Tile("Database", formats.size(status.database_bytes), _engine(status.database)),
        *([_decoder_tile(status.decoder)] if status.decoder else []),
    ]


def _rate(rate: float | None) -> str:
    return formats.count(rate if rate is None or rate < 10 else round(rate))


def _queue_tile(status: CollectorStatus) -> Tile:
    held, capacity = status.queue.held_bytes, status.queue.capacity_bytes
    share = held / capacity if capacity else 0.0
    tone: Tone | None = "exhausted" if share >= QUEUE_FULL else "burning" if share >= QUEUE_WARNS else None
    return Tile("Queue", formats.size(held), f"{formats.percent(share)} of {formats.size(capacity)}", tone)


def _refused_tile(status: CollectorStatus) -> Tile:
    refused = status.counter("requests_refused")
    note = "senders come again" if refused else "none so far"
    return Tile("Refused for overload", formats.count(refused), note, "burning" if refused else "ok")


def _rejected_tile(status: CollectorStatus) -> Tile:
    rejected = sum(one.records for one in status.rejected)
    note = f"of {formats.count(rejected + _taken(status))} records" if rejected else "none so far"
    return Tile("Rejected records", formats.count(rejected), note, "burning" if rejected else "ok")


def _taken(status: CollectorStatus) -> int:
    return sum(status.counter(name) for name in ("spans", "log_records", "feedback", "metric_points"))


def _decoder_tile(decoder: Decoder) -> Tile:
    return Tile("Decoder", formats.words(decoder.state), decoder.text, _DECODER_TONES.get(decoder.state))


def _engine(database: str) -> str:
    return "PostgreSQL" if database.startswith("postgres") else "SQLite"


def requests_grid(status: CollectorStatus) -> Grid:
    """What became of the requests since the start."""
    invalid = status.counters.get("requests_invalid")
    outcomes: list[tuple[str, str, int, Tone | None]] = [
        ("Committed", "on the disk before they were answered", status.counter("requests_committed"), "ok"),
        ("Repeated", "sent again after a lost answer, not counted again", status.counter("requests_repeated"), None),
        ("Refused", "503 for overload, or for a database that was away", status.counter("requests_refused"), "burning"),
        *(
            (f"Invalid, HTTP {code}", _INVALID.get(code, "refused for good"), int(count), "exhausted")
            for code, count in sorted((invalid if isinstance(invalid, dict) else {}).items())
        ),
    ]  # fmt: skip
    total = sum(count for _, _, count, _ in outcomes) or 1
    rows = [
        Row(
            name,
            [
                Cell(name, sub=meaning),
                Cell(formats.count(count), sort=count),
                Cell(_share(count, total), sort=count, kind="bar", fill=count / total, tone=tone),
            ],
        )
        for name, meaning, count, tone in outcomes
    ]
    return Grid("requests", (Column("Requests", wrap=True), Column("Count", "right"), Column("Share")), rows, "")


def _share(count: int, total: int) -> str:
    """A share that exists never reads as none."""
    return "< 0.01 %" if 0 < count / total < 0.0001 else formats.percent(count / total, 2)


_INVALID = {
    "400": "not an OTLP request of that signal",
    "405": "not sent by POST",
    "408": "the body took too long to arrive",
    "413": "larger than a limit",
    "415": "of another content type or encoding",
    "500": "a fault of the collector, which is in its log",
}


def rejected_grid(rejected: Sequence[Rejected]) -> Grid:
    """Single records that were refused, by reason; the rest of their requests was kept."""
    most = max((one.records for one in rejected), default=0) or 1
    rows = [
        Row(
            one.reason,
            [
                Cell(formats.words(one.reason).capitalize(), sub=one.text if one.text != one.reason else ""),
                Cell(formats.count(one.records), sort=one.records, kind="bar", fill=one.records / most, tone="burning"),
            ],
        )
        for one in rejected
    ]
    empty = "No record has been rejected since the start."
    return Grid("rejected", (Column("Reason", wrap=True), Column("Records")), rows, empty)


def clock_cell(concern: str | None, ahead_s: float, lag_min_s: float) -> Cell:
    """A pill that says how a sender's clock compares, sorted by urgency."""
    if concern == "ahead":
        return Cell(f"{formats.seconds(ahead_s)} ahead", sort=1e12 + ahead_s, tone="exhausted", kind="pill")
    if concern == "behind_or_late":
        return Cell(f"behind or late, {formats.seconds(lag_min_s)}", sort=lag_min_s, tone="burning", kind="pill")
    return Cell("In step", sort=-1, tone="ok", kind="pill")


def worst_clock(sources: Sequence[Source]) -> Cell:
    """The pill of the instance whose clock is worst; nothing for a service that did not send to this collector."""
    cells = [clock_cell(one.concern, one.ahead_s, one.lag_min_s) for one in sources]
    return max(cells, key=lambda cell: float(cell.sort or 0), default=Cell(formats.ABSENT, sort=None))


def sources_grid(sources: Sequence[Source], now: float) -> Grid:
    """Senders, those with a wrong clock first."""
    rows = [
        Row(
            f"{one.service}/{one.instance}",
            [
                Cell(one.service or "unnamed", sub=one.instance),
                clock_cell(one.concern, one.ahead_s, one.lag_min_s),
                Cell(_signed(one.lag_min_s), sort=one.lag_min_s),
                Cell(_signed(one.lag_median_s), sort=one.lag_median_s),
                Cell(formats.ago(one.last_seen, now), sort=-one.last_seen),
                Cell(formats.count(one.batches), sort=one.batches),
            ],
            tone=_CONCERN_TONES.get(one.concern or ""),
        )
        for one in sorted(sources, key=_urgency)
    ]
    columns = (
        Column("Sender", wrap=True),
        Column("Clock"),
        Column("Smallest lag, 5 min", "right"),
        Column("Median lag", "right"),
        Column("Last batch", "right"),
        Column("Batches", "right"),
    )
    return Grid("sources", columns, rows, "Nobody has sent telemetry to this collector within the last hour.")


def clocks_note(sources: Sequence[Source]) -> str:
    """A sentence where it is likelier that the collector's own clock is wrong."""
    ahead = [one.ahead_s for one in sources if one.concern == "ahead"]
    if len(ahead) > 1 and len(ahead) == len(sources):
        return f"Every sender is ahead, by {formats.seconds(min(ahead))} or more: check this machine's clock first."
    return ""


def _urgency(one: Source) -> tuple[int, float, str, str]:
    rank = {"ahead": 0, "behind_or_late": 1}.get(one.concern or "", 2)
    return rank, -max(one.ahead_s, one.lag_min_s) if rank < 2 else 0.0, one.service, one.instance


def _signed(lag_s: float) -> str:
    return formats.seconds(lag_s) if abs(lag_s) >= 1e-3 else "0 s"


def collectors_grid(collectors: Sequence[Collector], now: float) -> Grid:
    """The processes that count into the database."""
    rows = [
        Row(
            one.id,
            [
                Cell(one.host, sub=f"process {one.pid}" + (", this one" if one.this else "")),
                Cell("lacks " + ", ".join(one.lacks), tone="exhausted", kind="pill")
                if one.lacks
                else Cell("complete", tone="ok", kind="pill"),
                Cell(formats.count(one.rules), sort=one.rules),
                Cell(one.version),
                Cell(formats.ago(one.started_at, now), sort=-one.started_at),
                Cell(formats.ago(one.last_seen, now), sort=-one.last_seen),
            ],
            tone="exhausted" if one.lacks else None,
        )
        for one in collectors
    ]
    columns = (
        Column("Collector", wrap=True),
        Column("SLOs"),
        Column("Rules", "right"),
        Column("Version"),
        Column("Started", "right"),
        Column("Last seen", "right"),
    )
    return Grid("collectors", columns, rows, "No collector has reported yet.")
