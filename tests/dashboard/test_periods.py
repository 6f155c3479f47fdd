"""Time ranges and their steps."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dashboard import periods
from dashboard.documents.slos import HistoryPoint
from dashboard.documents.traffic import SeriesPoint

NOW = 1_790_000_000.0


@given(st.floats(1, 400 * 86400), st.integers(10, 400))
def test_a_step_covers_the_span_with_few_enough_points(span_s: float, most: int) -> None:
    step = periods.step_for(span_s, most)
    assert span_s <= step * most
    assert step % 10 == 0


@given(st.sampled_from(sorted(periods.RANGES_S.values())), st.floats(1e9, 2e9))
def test_a_period_ends_with_the_present_step_and_holds_the_span(span_s: int, now: float) -> None:
    period = periods.last(span_s, now)
    assert period.end - period.step <= now < period.end
    assert period.start <= period.end - span_s
    assert period.start % period.step == 0
    assert period.end % period.step == 0


def points(period: periods.Period, since: float) -> list[HistoryPoint]:
    count = round((period.end - period.start) / period.step)
    times = [period.start + i * period.step for i in range(count)]
    return [HistoryPoint(t=t, total=5.0 if t + period.step > since else 0.0) for t in times]


def test_a_young_slo_is_looked_at_closely() -> None:
    period = periods.last(30 * 86400, NOW)
    looks = 0
    while (finer := periods.closer(period, points(period, NOW - 600), NOW)) is not None:
        period, looks = finer, looks + 1
    assert looks > 0
    assert period.step <= 30
    assert period.start <= NOW - 600


def test_an_old_slo_is_left_as_it_is() -> None:
    period = periods.last(30 * 86400, NOW)
    assert periods.closer(period, points(period, NOW - 20 * 86400), NOW) is None


def test_no_data_is_no_reason_to_look_closer() -> None:
    assert periods.closer(periods.last(3600, NOW), [], NOW) is None


@given(st.floats(1e9, 2e9), st.floats(0, 30 * 86400))
def test_looking_closer_ends(now: float, age_s: float) -> None:
    period = periods.last(30 * 86400, now)
    for _ in range(6):
        finer = periods.closer(period, points(period, now - age_s), now)
        if finer is None:
            return
        assert finer.step < period.step
        assert finer.end > now
        period = finer
    raise AssertionError("looking closer does not end")


def test_silence_is_drawn_as_nothing_and_the_last_step_is_left_open() -> None:
    period = periods.Period(0, 50, 10)
    filled = periods.with_silence([SeriesPoint(t=10, count=4, p50=1.0)], period)
    assert [(point.t, point.count, point.p50) for point in filled] == [
        (0, 0, None),
        (10, 4, 1.0),
        (20, 0, None),
        (30, 0, None),
    ]
