"""Calendar budgets through the engine, in virtual time, against sums over the events by the clocks of the zone."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.slo.calendar import Calendar
from detectors.slo.compile import rule_id
from detectors.slo.engine import Engine
from detectors.slo.ledger import Ledger
from detectors.slo.spec import SloSet
from telemetry.deltas import SliDelta
from telemetry.windows import BUCKET_NS, NANOS, bucket_start
from telemetry.windows import parse_duration as ns
from tests.detectors.slo.traffic import slos_of

HOUR, MINUTE = ns("1h"), ns("1m")
FOLDED_NS = ns("73h")


def at(text: str, zone: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * NANOS


def calendar_slos(unit: str, zone: str, more: str = "") -> SloSet:
    window = f"{{calendar: {unit}, timezone: {zone}}}"
    return slos_of(f"{{name: a, service: chat, sli: {{errors: {{}}}}, objective: 99%, window: {window}{more}}}")


def month_of(time_ns: int, zone: str) -> tuple[int, int]:
    moment = datetime.fromtimestamp(time_ns // NANOS, UTC).astimezone(ZoneInfo(zone))
    return moment.year, moment.month


def traffic(slos: SloSet, start_ns: int, end_ns: int, every_ns: int, seed: int) -> list[SliDelta]:
    """A bucket every ``every_ns``, some with errors."""
    rng = random.Random(seed)
    rule = rule_id(slos.slos[0])
    rows = []
    for time_ns in range(start_ns, end_ns, every_ns):
        total = rng.randint(1, 50)
        bad = rng.randint(0, total) if rng.random() < 0.02 else 0
        rows.append(SliDelta(rule, "{}", bucket_start(time_ns), total - bad, total))
    return rows


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Kathmandu", "America/Los_Angeles"])
def test_a_month_in_virtual_time_is_the_sum_of_its_events(zone):
    """October to November 2026: the clocks of Berlin go back in it; those of Nepal are 45 minutes off."""
    slos = calendar_slos("month", zone)
    engine = Engine(slos)
    start_ns, end_ns = at("2026-09-28"), at("2026-11-06")
    rows = traffic(slos, start_ns, end_ns, ns("15m"), seed=1)
    fed, months = 0, set()
    for now_ns in range(start_ns, end_ns, ns("3h30m")):
        due = fed
        while due < len(rows) and rows[due].bucket_ns <= now_ns:
            due += 1
        engine.ingest_sli(rows[fed:due])
        fed = due
        status = engine.step(now_ns).statuses[0]
        (group,) = status.groups
        own = [row for row in rows[:fed] if month_of(row.bucket_ns, zone) == month_of(now_ns, zone)]
        good, total = sum(row.good for row in own), sum(row.total for row in own)
        assert (group.good, group.total) == (good, total)
        left = 1 - (total - good) / (0.01 * total) if total else None
        assert group.budget_remaining == (None if left is None else pytest.approx(left))
        assert group.burn["month"] == (pytest.approx((total - good) / total / 0.01) if total else None)
        months.add(month_of(now_ns, zone))
    assert len(months) == 3


def test_the_status_says_which_period_it_is_about():
    slos = calendar_slos("month", "Europe/Berlin")
    document = Engine(slos).step(at("2026-10-31T23:59", "Europe/Berlin")).statuses[0].to_json()
    assert document["period"] == {
        "calendar": "month", "timezone": "Europe/Berlin",
        "start": at("2026-10-01", "Europe/Berlin") / NANOS, "end": at("2026-11-01", "Europe/Berlin") / NANOS,
    }  # fmt: skip
    assert document["window_s"] == 30 * 86400, "policies scale by the nominal length"
    assert [pair.factor for pair in slos.slos[0].policy.pairs] == [14.4, 6, 3, 1]


def test_the_budget_starts_anew_and_alerts_go_on_over_the_boundary():
    slos = calendar_slos("day", "Asia/Kolkata")
    engine, rule = Engine(slos), rule_id(slos.slos[0])
    midnight_ns = at("2026-05-05", "Asia/Kolkata")
    rows = [SliDelta(rule, "{}", midnight_ns + k * BUCKET_NS, 50 if k < 0 else 100, 100) for k in range(-2000, 7)]
    engine.ingest_sli(rows)
    before = engine.step(midnight_ns - NANOS)
    assert before.statuses[0].groups[0].budget_remaining == pytest.approx(1 - 0.5 / 0.01)
    assert before.findings
    after = engine.step(midnight_ns)
    (group,) = after.statuses[0].groups
    assert (group.budget_remaining, group.good, group.total) == (1.0, 100, 100)
    assert {finding.fingerprint for finding in after.findings} >= {
        finding.fingerprint for finding in before.findings if finding.labels["severity"] == "page"
    }, "what burnt a second ago still burns"


def test_the_curve_starts_anew_with_every_period():
    slos = calendar_slos("day", "Asia/Kathmandu")
    engine, rule = Engine(slos), rule_id(slos.slos[0])
    midnight_ns = at("2026-05-05", "Asia/Kathmandu")
    engine.ingest_sli(
        SliDelta(rule, "{}", midnight_ns + k * ns("15m"), 90 if k < 0 else 100, 100) for k in range(-300, 8)
    )
    engine.step(midnight_ns + ns("2h"))
    points = engine.budget_curve(
        "a", {}, start_ns=midnight_ns - ns("1h"), end_ns=midnight_ns + ns("1h"), step_ns=ns("30m")
    )
    assert [point.remaining for point in points] == [pytest.approx(-9), pytest.approx(-9), 1.0, 1.0]
    long_ago = engine.budget_curve(
        "a", {}, start_ns=midnight_ns - ns("60h"), end_ns=midnight_ns - ns("58h"), step_ns=HOUR
    )
    assert {point.remaining for point in long_ago} == {None}, "the beginning of that day is no longer held"


def folded(rows: list[SliDelta], now_ns: int, calendar: Calendar) -> list[SliDelta]:
    """The rows as storage keeps them: by the hour once they are old, but for hours that a period begins within."""
    whole: dict[int, list[SliDelta]] = {}
    for row in rows:
        hour_ns = bucket_start(row.bucket_ns, HOUR)
        old = hour_ns < bucket_start(now_ns - FOLDED_NS, HOUR)
        width = HOUR if old and not calendar.splits(hour_ns, hour_ns + HOUR) else 5 * MINUTE if old else BUCKET_NS
        whole.setdefault(bucket_start(row.bucket_ns, width), []).append(row)
    return [
        SliDelta(same[0].rule, "{}", start, sum(one.good for one in same), sum(one.total for one in same))
        for start, same in whole.items()
    ]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Kathmandu"])
@pytest.mark.parametrize("unit", ["week", "month", "quarter"])
def test_a_restart_within_a_period_is_as_if_there_had_been_none(unit, zone):
    slos = calendar_slos(unit, zone)
    calendar = slos.slos[0].calendar
    assert calendar is not None
    running = Engine(slos)
    period = calendar.period(at("2026-11-11"))
    start_ns, now_ns = period.start_ns - ns("30h"), period.start_ns + ns("5d7h12m")
    rows = traffic(slos, start_ns, now_ns, ns("5m"), seed=2)
    fed = 0
    for time_ns in range(start_ns, now_ns, ns("2h")):
        due = [row for row in rows[fed:] if row.bucket_ns <= time_ns]
        fed += len(due)
        running.ingest_sli(due)
        running.step(time_ns)
    running.ingest_sli(rows[fed:])
    restarted = Engine(slos)
    restarted.ingest_sli(
        row for row in folded(rows, now_ns, calendar) if row.bucket_ns >= now_ns - restarted.history_ns
    )
    one, other = running.step(now_ns), restarted.step(now_ns)
    shown, again = one.statuses[0].to_json(), other.statuses[0].to_json()
    assert shown["groups"][0]["detail"].pop("late") > 0, "steps two hours apart see most events late; a start, none"
    assert shown == again
    own = [row for row in rows if row.bucket_ns >= period.start_ns]
    assert one.statuses[0].groups[0].total == sum(row.total for row in own)
    span = {"start_ns": period.start_ns - ns("8h"), "end_ns": period.start_ns + ns("5d"), "step_ns": ns("4h")}
    assert running.budget_curve("a", {}, **span) == restarted.budget_curve("a", {}, **span)


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(["Asia/Kolkata", "Asia/Kathmandu", "Pacific/Chatham", "America/St_Johns", "Australia/Lord_Howe"]),
    st.lists(st.tuples(st.integers(0, 20 * 24 * 12), st.integers(0, 3 * 24 * 12), st.integers(1, 9)), max_size=40),
    st.lists(st.integers(1, 20 * 24 * 60), min_size=1, max_size=6),
)
def test_a_split_ledger_is_exact_from_every_boundary_at_every_age(zone, events, looks):
    """Events in 5 min buckets that arrive up to three days late; the clock moves in any steps."""
    calendar = Calendar("day", zone)
    start_ns = at("2026-03-25")
    ledger = Ledger(ns("40d"), calendar.splits)
    rows = [(start_ns + place * 5 * MINUTE, late * 5 * MINUTE, count) for place, late, count in events]
    ledger.register(["{}"])
    ledger.advance(start_ns)
    seen_ns = start_ns
    for look in sorted(looks):
        now_ns = start_ns + look * MINUTE
        ledger.add(SliDelta("r", "{}", at_ns, n - 1, n) for at_ns, late, n in rows if seen_ns < at_ns + late <= now_ns)
        seen_ns = now_ns
        ledger.advance(now_ns)
        arrived = [(at_ns, n) for at_ns, late, n in rows if start_ns < at_ns + late <= now_ns]
        begins = [period.start_ns for period in calendar.periods(start_ns - ns("1d"), now_ns)]
        good, total = ledger.window_sums(now_ns, [now_ns - begin for begin in begins])
        for i, begin in enumerate(begins):
            own = [n for at_ns, n in arrived if at_ns >= begin]
            assert (int(good[i, 0]), int(total[i, 0])) == (sum(own) - len(own), sum(own))
        starts, _, totals = ledger.series(0, begins[0], now_ns + 1)
        assert sorted(starts) == list(starts)
        assert totals.sum() == sum(n for at_ns, n in arrived)
        for begin in begins:
            assert totals[starts >= begin].sum() == sum(n for at_ns, n in arrived if at_ns >= begin)
