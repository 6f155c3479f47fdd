"""What is forecast of one budget, and the times that were taken out of it."""

from __future__ import annotations

from typing import Any

from tests.dashboard.recorded.moment import MALICIOUS, NOW

SENTENCE = "With 80 % probability the budget is exhausted between Tue 14:00 and Wed 06:00."


def forecast() -> dict[str, Any]:
    """Twelve days ahead, in steps of six hours."""
    fan = [
        {"t": NOW + k * 21600, "low": 0.4 - k * 0.02, "median": 0.4 - k * 0.012, "high": 0.4 - k * 0.006}
        for k in range(1, 49)
    ]
    return {
        "enough_data": True, "reason": None, "at": NOW, "horizon": NOW + 12 * 86400, "window_end": NOW + 30 * 86400,
        "history_s": 259200.0, "seasonality": "hour of the day", "coverage": 0.8, "remaining": 0.4, "p_exhausted": 0.93,
        "exhaustion": {"low": NOW + 86400, "median": NOW + 129600, "high": NOW + 144000}, "fan": fan,
        "change": {"probability": 0.97, "since": NOW - 7200, "times": 12.4}, "sentence": SENTENCE, "timezone": "UTC",
    }  # fmt: skip


def corrections(slo: str) -> list[dict[str, Any]]:
    """One in force, one past and cancelled, whose reason means harm."""
    return [
        {
            "id": 2, "start": NOW - 3600, "end": NOW + 3600, "slos": [slo], "matchers": ['input_type="code"'],
            "author": "ada", "reason": "node drain", "created_at": NOW - 4000, "cancelled": None,
        },
        {
            "id": 1, "start": NOW - 90000, "end": NOW - 80000, "slos": [slo], "matchers": [], "author": "bob",
            "reason": MALICIOUS, "created_at": NOW - 70000,
            "cancelled": {"author": "ada", "reason": "it was ours", "at": NOW - 60000},
        },
    ]  # fmt: skip
