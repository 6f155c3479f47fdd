"""The service, its collector and those who send to it, as the API gives them."""

from __future__ import annotations

import math
from typing import Any

from tests.dashboard.recorded.measurements import MODELS
from tests.dashboard.recorded.moment import MALICIOUS, NOW


def services() -> list[dict[str, Any]]:
    """A busy service and a quiet one."""
    return [
        {
            "service": "embedding-batch",
            "operations": ["embeddings"],
            "models": ["all-minilm-l6-v2"],
            "requests_1h": 311,
            "errors_1h": 0,
        },
        {
            "service": "reference-inference",
            "operations": ["chat", "classify", "embeddings", "text_completion"],
            "models": list(MODELS),
            "requests_1h": 12_480,
            "errors_1h": 143,
        },
    ]


def status() -> dict[str, Any]:
    """The service's own health."""
    return {
        "version": "0.1.0",
        "started_at": NOW - 7200,
        "now": NOW,
        "database": "sqlite",
        "database_bytes": 412_876_800,
        "database_problem": None,
        "counters": {
            "requests": 1_204_512,
            "requests_committed": 1_198_004,
            "requests_repeated": 41,
            "requests_refused": 6_390,
            "requests_invalid": {"400": 12, "415": 65},
            "spans": 611_402_112,
            "log_records": 1_204_113,
            "feedback": 8_112,
            "unpriced": {},
        },
        "rates": {
            "over_s": 60.0,
            "requests_per_s": 41.2,
            "records_per_s": 21_094.4,
            "bytes_per_s": 10_133_000.0,
            "history": [
                {"t": NOW - 300 + 5 * i, "records_per_s": 20_000 + 4_000 * math.sin(i / 6) + 900 * (i % 3)}
                for i in range(60)
            ],
        },
        "queue": {"held_bytes": 18_400_000, "capacity_bytes": 268_435_456},
        "rejected": [
            {"reason": "in_future", "text": "the time lies too far in the future", "records": 4_204},
            {"reason": "end_before_start", "text": "the end lies before the start", "records": 118},
        ],
        "overflow": [],
        "sources": {"total": 4, "ahead": 1, "late": 1},
        "decoder": {"state": "ready", "text": "compiled"},
        "collectors": [collector("a1", "collector-1", 812, this=True), collector("b2", "collector-2", 907)],
        "config_problems": [],
        "last_evaluation": {"at": NOW - 4, "duration_s": 0.038},
    }


def collector(name: str, host: str, pid: int, **more: Any) -> dict[str, Any]:
    """A process that counts into the database."""
    return {
        "id": name,
        "host": host,
        "pid": pid,
        "version": "0.1.0",
        "started_at": NOW - 7200,
        "last_seen": NOW - 6,
        "this": False,
        "rules": 9,
        "lacks": [],
        **more,
    }


def overflow() -> list[dict[str, Any]]:
    """Groups beyond the limit, of an SLO and of the service series."""
    return [
        {
            "scope": "request-errors@1",
            "slo": "request-errors",
            "field": None,
            "events": 48_112,
            "limit": 2000,
            "what": "48,112 events of the groups of SLO request-errors are counted as __overflow__",
            "remedy": "name labels with fewer values under per",
        },
        {
            "scope": "series",
            "slo": None,
            "field": None,
            "events": 812,
            "limit": 2000,
            "what": "812 events of the groups of the service series are counted as __overflow__",
            "remedy": "name labels with fewer values under per",
        },
    ]


def sources() -> list[dict[str, Any]]:
    """Four senders: one in step, one ahead, one late, one whose name is an attack."""

    def source(service: str, instance: str, least_s: float, median_s: float, concern: str | None) -> dict[str, Any]:
        return {
            "service": service,
            "instance": instance,
            "last_seen": NOW - 2,
            "batches": 1_412,
            "lag_min_s": least_s,
            "lag_median_s": median_s,
            "ahead_s": max(0.0, -least_s),
            "concern": concern,
        }

    return [
        source("reference-inference", "gpu-box-1", 0.31, 2.6, None),
        source("reference-inference", "gpu-box-2", -12.4, -9.8, "ahead"),
        source("embedding-batch", "", 184.0, 211.0, "behind_or_late"),
        source(MALICIOUS, "x", 0.2, 0.9, None),
    ]
