"""On call: how quickly incidents are answered and how noisy alerting is; the service has judged, this lays it out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo

from dashboard import formats
from dashboard.components.grid import Cell, Column, Grid, Row
from dashboard.components.place import Place
from dashboard.components.tiles import Tile
from dashboard.documents.oncall import Figures, FiguresOf, Noise, ReceiverNoise, Times


def tiles(figures: Figures, noise: Noise) -> list[Tile]:
    """The figures at the top."""
    every = figures.all
    over = sum(one.over for one in noise.receivers)
    wolves = sum(one.cries_wolf for one in noise.slos)
    told, acted = sum(one.incidents for one in noise.receivers), sum(one.acted_on for one in noise.receivers)
    return [
        Tile("Incidents", str(every.incidents), f"{every.open} not over, {every.withdrawn} withdrawn"),
        Tile("Time to acknowledge", _median(every.to_acknowledge), _beside(every.to_acknowledge)),
        Tile("Time to resolve", _median(every.to_resolve), _beside(every.to_resolve)),
        Tile(
            "Never acknowledged", str(every.unacknowledged), f"of {every.incidents - every.withdrawn}",
            "burning" if every.unacknowledged else None,
        ),
        Tile("Acted on", _share(acted, told), "of the incidents that receivers were told of"),
        Tile("Beyond budget", str(over), "receivers, last 24 h", "exhausted" if over else None),
        Tile("Cry wolf", str(wolves), "SLOs", "burning" if wolves else None),
    ]  # fmt: skip


def _median(times: Times | None) -> str:
    return formats.ABSENT if times is None else formats.seconds(round(times.median_s))


def _beside(times: Times | None) -> str:
    if times is None:
        return "median of none"
    mean, p90 = formats.seconds(round(times.mean_s)), formats.seconds(round(times.p90_s))
    return f"median; mean {mean}, p90 {p90}"


def _share(part: int, whole: int) -> str:
    return formats.percent(part / whole, 0) if whole else formats.ABSENT


def receiver_note(noise: Noise, tz: tzinfo, now: float) -> str:
    """What the table of receivers counts, and since when it averages."""
    counts = "what was delivered; a page is an incident of a page opened, escalated or re-opened"
    if noise.averaged_since is None:
        return counts
    return f"{counts}. A day: on average since {formats.clock(noise.averaged_since, tz, now)}"


def receiver_grid(noise: Noise) -> Grid:
    """What each receiver was told."""
    rows = [
        Row(
            one.receiver,
            [
                Cell(one.receiver),
                Cell(str(one.notifications), sort=one.notifications, sub=f"{formats.count(one.per_day)} a day"),
                Cell(str(one.pages), sort=one.pages, sub=f"{formats.count(one.pages_per_day)} a day"),
                _acted(one.acted_on, one.incidents),
                Cell(str(one.busiest), sort=one.busiest, sub=one.busiest_day),
                Cell(str(one.last_day), sort=one.last_day, sub=_pages(one.last_day_pages)),
                _budget(one),
            ],
            tone="exhausted" if one.over else None,
        )
        for one in noise.receivers
    ]
    columns = (
        Column("Receiver"), Column("Told", "right"), Column("Pages", "right"), Column("Acted on"),
        Column("Busiest day", "right"), Column("Last 24 h", "right"), Column("Budget"),
    )  # fmt: skip
    return Grid("noise-receivers", columns, rows, "No receiver is configured.")


def _budget(one: ReceiverNoise) -> Cell:
    if one.budget is None:
        return Cell("none", sort=None)
    limits = ((one.budget.pages_per_day, "page"), (one.budget.notifications_per_day, "notification"))
    allowed = ", ".join(
        f"{limit} {name}{'' if limit == 1 else 's'} a day" for limit, name in limits if limit is not None
    )
    days = (
        f"{len(one.days_over)} {'day' if len(one.days_over) == 1 else 'days'} over" if one.days_over else "no day over"
    )
    word = "Over" if one.over else "Within"
    return Cell(f"{word}: {allowed}", sub=days, tone="exhausted" if one.over else None)


def _acted(part: int, whole: int) -> Cell:
    if not whole:
        return Cell(formats.ABSENT, sort=None)
    share = part / whole
    return Cell(f"{part} of {whole}", sort=share, kind="bar", fill=share, tone="burning" if share < 0.5 else "ok")


def slo_grid(noise: Noise) -> Grid:
    """The incidents of each SLO, who cries wolf first."""
    rows = [
        Row(
            f"{one.service}/{one.slo}",
            [
                Cell(one.slo or formats.ABSENT, sub=one.service),
                Cell("Cries wolf", sort=1, tone="burning", kind="pill") if one.cries_wolf else Cell("", sort=0),
                Cell(str(one.incidents), sort=one.incidents),
                _acted(one.acted_on, one.ended),
                Cell(str(one.by_themselves), sort=one.by_themselves),
                Cell(str(one.withdrawn), sort=one.withdrawn),
                Cell(str(one.returns), sort=one.returns),
                Cell(formats.seconds(one.median_s), sort=one.median_s),
            ],
            Place("slo", {"slo": one.slo}) if one.slo else None,
        )
        for one in noise.slos
    ]
    columns = (
        Column("SLO"), Column(""), Column("Incidents", "right"), Column("Acted on, of those over"),
        Column("Nobody did a thing", "right"), Column("Withdrawn", "right"), Column("Came back", "right"),
        Column("Lasted, median", "right"),
    )  # fmt: skip
    return Grid("noise-slos", columns, rows, "No incident was opened in this time.")


def _pages(number: int) -> str:
    return f"{number} page{'' if number == 1 else 's'}"


def figure_grid(figures: Sequence[FiguresOf], what: str) -> Grid:
    """How quickly the incidents of each service, severity or SLO were answered and ended."""
    rows = [
        Row(
            one.name or formats.ABSENT,
            [
                Cell(one.name or formats.ABSENT),
                Cell(str(one.incidents), sort=one.incidents, sub=f"{one.open} not over" if one.open else ""),
                *_times(one.to_acknowledge),
                Cell(str(one.unacknowledged), sort=one.unacknowledged),
                *_times(one.to_resolve),
                Cell(str(one.withdrawn), sort=one.withdrawn),
            ],
        )
        for one in figures
    ]
    columns = (
        Column(what), Column("Incidents", "right"), Column("To acknowledge, median", "right"), Column("p90", "right"),
        Column("Never", "right"), Column("To resolve, median", "right"), Column("p90", "right"),
        Column("Withdrawn", "right"),
    )  # fmt: skip
    return Grid(f"figures-{what}", columns, rows, "No incident was opened in this time.")


def _times(times: Times | None) -> tuple[Cell, Cell]:
    if times is None:
        return Cell(formats.ABSENT, sort=None), Cell(formats.ABSENT, sort=None)
    mean = f"mean {formats.seconds(round(times.mean_s))}"
    return (
        Cell(formats.seconds(round(times.median_s)), sort=times.median_s, sub=mean),
        Cell(formats.seconds(round(times.p90_s)), sort=times.p90_s),
    )
