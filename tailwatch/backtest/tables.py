"""An outcome as tables of text, to be printed or put into a document; it computes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tailwatch.backtest.moments import lasting, moment
from tailwatch.backtest.outcome import Outcome
from tailwatch.backtest.scoring import Call, IncidentCost, Score
from telemetry.windows import NANOS


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table: ``columns`` and ``rows`` of as many texts."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def headline(outcome: Outcome) -> str:
    """The run in one sentence."""
    pages, tickets = outcome.a_month("page"), outcome.a_month("ticket")
    return (
        f"{moment(outcome.start_ns)} to {moment(outcome.end_ns)} UTC ({lasting(outcome.end_ns - outcome.start_ns)}, "
        f"evaluated every {lasting(outcome.step_ns)}): {pages or 0:.3g} pages and {tickets or 0:.3g} tickets "
        "per 30 days"
    )


def tables(outcome: Outcome) -> Iterator[TextTable]:
    """Budgets, calls, and how the incidents fared, as far as there is any."""
    yield _budgets(outcome)
    if outcome.calls:
        yield _calls(outcome)
    if outcome.score is not None:
        yield _incidents(outcome.score)
        yield _scores(outcome.score)
    if outcome.corrections:
        yield _corrections(outcome)


def named(group: Mapping[str, str]) -> str:
    """A group's labels as text."""
    return ", ".join(f"{name}={value or '(none)'}" for name, value in sorted(group.items()))


def _budgets(outcome: Outcome) -> TextTable:
    rows = []
    for slo in outcome.slos:
        own = [curve for curve in outcome.curves if curve.slo == slo]
        rates = f"{outcome.a_month('page', slo) or 0:.3g}", f"{outcome.a_month('ticket', slo) or 0:.3g}"
        if not own:
            rows.append((slo, "(no events)", *rates, "", "", ""))
        for place, curve in enumerate(own):
            lowest = curve.lowest
            rows.append((
                slo, named(curve.group), *(rates if place == 0 else ("", "")),
                "" if lowest is None else _percent(lowest[0]), "" if lowest is None else moment(lowest[1]),
                _percent(curve.remaining[-1]),
            ))  # fmt: skip
    columns = "SLO", "group", "pages / 30 d", "tickets / 30 d", "lowest budget", "at", "budget at end"
    return TextTable("Budgets", columns, tuple(rows))


def _calls(outcome: Outcome) -> TextTable:
    right = outcome.score.right if outcome.score else (None,) * len(outcome.calls)
    shown = {None: "", True: "yes", False: "no"}
    rows = tuple(
        (
            moment(call.start_ns), _length(call), call.severity, call.slo, named(call.group),
            ", ".join(dict.fromkeys(episode.name for episode in call.episodes)), call.episodes[0].summary,
            *((shown[verdict],) if outcome.score else ()),
        )
        for call, verdict in zip(outcome.calls, right, strict=True)
    )  # fmt: skip
    columns = ("began", "lasted", "severity", "SLO", "group", "alerts", "said first")
    return TextTable("Would-be alerts", (*columns, "in an incident") if outcome.score else columns, rows)


def _incidents(score: Score) -> TextTable:
    rows = tuple(
        (
            one.incident.name, moment(one.incident.start_ns), lasting(one.incident.end_ns - one.incident.start_ns),
            one.severity or "missed", _seconds(one.detection_s), _seconds(one.page_s), _seconds(one.reset_s),
            *_cost(one.cost),
        )
        for one in score.verdicts
    )  # fmt: skip
    columns = "incident", "began", "lasted", "caught by", "first alert", "first page", "reset"
    return TextTable("Incidents", (*columns, "budget spent", "by first alert", "of"), rows)


def _cost(cost: IncidentCost | None) -> tuple[str, str, str]:
    if cost is None:
        return "", "", ""
    return (
        _percent(cost.spent),
        _percent(cost.at_alert),
        f"{cost.slo} ({named(cost.group)})" if cost.group else cost.slo,
    )


def _corrections(outcome: Outcome) -> TextTable:
    rows = tuple(
        (
            moment(one.asked.start_ns), lasting(one.asked.end_ns - one.asked.start_ns),
            ", ".join([*one.asked.slos, *map(str, one.asked.matchers.items)]), one.asked.author, one.asked.reason,
        )
        for one in outcome.corrections
    )  # fmt: skip
    return TextTable("Corrections: not in the budgets", ("began", "lasted", "of", "by", "reason"), rows)


def _scores(score: Score) -> TextTable:
    return TextTable(
        "Score", ("", "all alerts", "pages"),
        (
            ("precision", _percent(score.precision), _percent(score.page_precision)),
            ("recall", _percent(score.recall), _percent(score.page_recall)),
            ("median detection", _seconds(score.median_detection_s), _seconds(score.median_page_s)),
            ("median reset", "", _seconds(score.median_reset_s)),
        ),
    )  # fmt: skip


def _length(call: Call) -> str:
    return "still holds" if call.end_ns is None else lasting(call.end_ns - call.start_ns)


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{'-' if seconds < 0 else ''}{lasting(round(abs(seconds) * NANOS))}"
