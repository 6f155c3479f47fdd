"""What an answer means for a delivery, and when it is tried again."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerting.outcomes import Backoff, judge, parse_retry_after
from tests.alerting.makers import T0

KEY = "0123456789abcdef"


def test_backoff_doubles_to_its_cap_within_its_jitter_and_repeats_itself():
    backoff = Backoff(base_s=1.0, cap_s=60.0)
    for attempt in range(1, 50):
        delay = backoff.delay_s(attempt, KEY)
        ceiling = min(60.0, 2.0 ** (attempt - 1))
        assert ceiling / 2 <= delay <= ceiling
        assert delay == Backoff(base_s=1.0, cap_s=60.0).delay_s(attempt, KEY)
    assert backoff.delay_s(3, KEY) != backoff.delay_s(3, "another")
    assert backoff.delay_s(1, KEY, retry_after_s=500.0) == 500.0


@settings(max_examples=200, deadline=None)
@given(st.integers(min_value=200, max_value=599), st.text(max_size=30), st.text(max_size=400))
def test_every_status_and_every_header_has_an_outcome(code, header, answer):
    outcome = judge(code, header, answer, T0)
    assert (outcome.kind == "delivered") == (code < 300)
    assert len(outcome.reason) <= 300
    assert outcome.retry_after_s is None or 0 <= outcome.retry_after_s <= 3600


@pytest.mark.parametrize("text", ["-5", "1e3", "Tue, 99 Nov 2023 22:13:50 GMT", "", "²", "9" * 400])
def test_odd_retry_after(text):
    seconds = parse_retry_after(text, T0)
    assert seconds is None or 0 <= seconds <= 3600
