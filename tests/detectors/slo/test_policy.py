"""Shipped policies: the factors of the SRE workbook, and the formula behind them at any period."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.slo.policy import POLICY_NAMES, Template, _shipped, burn_factor, named_policy, short_window
from telemetry.windows import BUCKET_NS
from telemetry.windows import parse_duration as ns


@pytest.mark.parametrize(
    ("period", "factors"),
    [
        ("30d", [14.4, 6, 3, 1]),
        ("28d", [13.44, 5.6, 2.8, 0.933]),
        ("7d", [13.44, 3.5, 1.4, 0.98]),
        ("90d", [21.6, 10.8, 4.5]),
    ],
)
def test_factors_of_the_default_policy(period, factors):
    policy = named_policy("page-and-ticket", ns(period))
    assert [round(pair.factor, 3) for pair in policy.pairs] == factors
    assert [pair.long_ns for pair in policy.pairs] == [ns("1h"), ns("6h"), ns("24h"), ns("3d")][: len(factors)]
    assert [pair.short_ns for pair in policy.pairs] == [ns("5m"), ns("30m"), ns("2h"), ns("6h")][: len(factors)]
    assert [pair.severity for pair in policy.pairs] == ["page", "page", "ticket", "ticket"][: len(factors)]


def test_a_short_period_shortens_the_windows_and_keeps_the_factors():
    week, day = (named_policy("page-and-ticket", ns(period)) for period in ("7d", "1d"))
    for long, short in zip(week.pairs, day.pairs, strict=True):
        assert short.long_ns == pytest.approx(long.long_ns / 7, abs=BUCKET_NS)
        assert short.factor == pytest.approx(long.factor, rel=0.02)


def test_page_only_and_ticket_only():
    assert {pair.severity for pair in named_policy("page-only", ns("30d")).pairs} == {"page"}
    tickets = named_policy("ticket-only", ns("30d"))
    assert {pair.severity for pair in tickets.pairs} == {"ticket"}
    assert tickets.sequential is not None
    assert tickets.sequential.severity == "ticket"
    assert not named_policy("none", ns("30d")).pairs


def shares(template: Template, period_ns: int) -> list[float]:
    fitting = [start for start in template.periods if start <= period_ns]
    return [share.budget for share in template.periods[max(fitting) if fitting else min(template.periods)]]


@given(st.sampled_from(POLICY_NAMES), st.integers(6, 366 * 8640))
def test_factor_is_share_times_period_over_long_window(name, buckets):
    period_ns = buckets * BUCKET_NS
    policy = named_policy(name, period_ns)
    for pair, share in zip(policy.pairs, shares(_shipped()[name], period_ns), strict=True):
        assert pair.factor * pair.long_ns / period_ns == pytest.approx(share, rel=1e-6)
        assert pair.long_ns % BUCKET_NS == pair.short_ns % BUCKET_NS == 0
        assert BUCKET_NS <= pair.short_ns <= pair.long_ns
        assert pair.short_ns == pytest.approx(pair.long_ns / 12, abs=BUCKET_NS)


def test_the_formula():
    assert burn_factor(0.02, ns("30d"), ns("1h")) == 14.4
    assert short_window(ns("1h")) == ns("5m")
    assert short_window(ns("1m")) == BUCKET_NS
