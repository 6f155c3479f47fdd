"""Answers of the service's HTTP API for one busy afternoon, built from a fixed seed and a fixed clock.

`request-errors` is exhausted by code inputs, `classify-latency` burns, `queue-wait` has gone silent, the rest
is fine or quiet. Every document has the shape that the API promises; tests that need a broken one break a copy.
"""

from __future__ import annotations

import math
import random
from typing import Any

NOW = 1_790_000_000.0
WINDOW_S = 30 * 86400.0
MALICIOUS = "<img src=x onerror=\"document.title='owned'\">"

RUNBOOK = f"""---
title: Errors in one slice
causes: [slice-errors]
---
# Errors in one slice

**What happens**: requests with `input_type=code` fail far more often than the others.

1. Open an exemplar trace and read `error.type`.
2. Compare the model versions:

   ```sh
   curl -s "$TAILWATCH_URL/api/v1/series?measure=duration&by=model_version"
   ```

3. Route the slice to the previous version. It costs about $5 more an hour, at most $120 a day.

| version | errors |
|---|---|
| v1 | 0.2 % |
| v3 | 11.4 % |

<script>document.title = 'owned'</script>
{MALICIOUS}
![tracker](http://192.0.2.1/pixel.png)
"""


def group(
    state: str, remaining: float | None, burn: float | None, labels: dict[str, str], **more: Any
) -> dict[str, Any]:
    """One budget with plausible counts."""
    total = 0 if burn is None else more.pop("total", 48_210)
    sli = None if remaining is None else more.pop("sli", 0.998)
    return {
        "group": labels,
        "state": state,
        "good": round(total * (sli or 0)),
        "total": total,
        "sli": sli,
        "budget_remaining": remaining,
        "burn": {
            window: None if burn is None else round(burn * share, 4)
            for window, share in {
                "5m": 1.1,
                "30m": 1.05,
                "1h": 1.0,
                "2h": 0.9,
                "6h": 0.62,
                "24h": 0.3,
                "3d": 0.2,
            }.items()
        },
        "alerts": more.pop("alerts", []),
        "detail": more.pop("detail", {}),
    }


def slo(name: str, kind: str, objective: float, groups: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """One SLO."""
    return {
        "name": name,
        "service": "reference-inference",
        "owner": "inference-team",
        "description": None,
        "kind": kind,
        "objective": objective,
        "window_s": WINDOW_S,
        "revision": 3,
        "runbook": None,
        "where": [],
        "per": [],
        "groups": groups,
        **more,
    }


def slos() -> list[dict[str, Any]]:
    """Seven SLOs in the order in which the service knows them, which is not the order of urgency."""
    page = [{"name": "burn-1h", "severity": "page", "since": NOW - 1260}]
    latency = {"measure": "duration", "below": 1.0}
    return [
        slo("generation-cost", "cost", 0.99, [group("ok", 0.91, 0.3, {}, sli=0.9991)], where=['operation="chat"']),
        slo(
            "classify-latency",
            "latency",
            0.999,
            [group("burning", 0.18, 7.9, {}, sli=0.99918, detail=latency, alerts=page)],
            where=['operation="classify"'],
            description="Topic classification answers within a second",
        ),
        slo(
            "generation-ttft",
            "latency",
            0.99,
            [group("ok", 0.72, 0.8, {}, sli=0.9972, detail={"measure": "ttft", "below": 3.0})],
        ),
        slo("queue-wait", "latency", 0.99, [group("no_telemetry", 0.64, None, {})]),
        slo(
            "request-errors",
            "errors",
            0.995,
            [
                group("ok", 0.83, 0.4, {"input_type": "chat"}, sli=0.99915, total=31_040),
                group("exhausted", -1.38, 22.7, {"input_type": "code"}, sli=0.98812, total=9_120, alerts=page),
                group("not_enough_data", 1.0, 0.0, {"input_type": "long"}, sli=1.0, total=14),
            ],
            per=["input_type"],
            runbook="slice-errors",
        ),
        slo("input-drift", "drift", 0.95, [group("ok", 0.97, 0.1, {}, sli=0.9985)]),
        slo("confidence-drift", "drift", 0.95, [group("no_traffic", None, None, {})]),
    ]


def history(start: float, end: float, step: float, objective: float) -> list[dict[str, Any]]:
    """A budget that is spent slowly, then fast in the last fifth."""
    rng = random.Random(7)
    remaining, points = 1.0, []
    count = max(1, round((end - start) / step))
    for i in range(count):
        bad_time = i > count * 0.82
        total = 400 + 120 * math.sin(i / 9) + rng.uniform(-40, 40)
        share = (1 - objective) * (rng.uniform(14, 26) if bad_time else rng.uniform(0.1, 1.1))
        remaining -= (0.05 if bad_time else 0.004) * 180 / count
        sli = 1 - share
        points.append(
            {
                "t": start + i * step,
                "good": round(total * sli),
                "total": round(total),
                "sli": sli,
                "burn": share / (1 - objective),
                "budget_remaining": remaining,
            }
        )
    return points


SCALES = {"tokens_in": 420.0, "tokens_out": 160.0, "cost": 0.0008, "confidence": 0.82, "ttft": 0.31}
MODELS = ("smollm2-135m-instruct", "minilm-topic-classifier", "all-minilm-l6-v2")


def series(measure: str, start: float, end: float, step: float, by: str | None) -> list[dict[str, Any]]:
    """One series for each model, or one for all; a slow spell in the last fifth."""
    found = []
    for index, model in enumerate(MODELS if by else ("all",)):
        rng = random.Random(index + len(measure))
        scale = SCALES.get(measure, 0.18) * (1 + index)
        count = max(1, round((end - start) / step))
        points = []
        for i in range(count):
            slow = 1.0 if i < count * 0.8 or index else 2.6
            requests = round(step / 60 * (190 + 60 * math.sin(i / 11) + rng.uniform(-15, 15)) / (1 + index))
            median = scale * (1 + rng.uniform(-0.08, 0.08))
            points.append(
                {
                    "t": start + i * step,
                    "count": requests,
                    "errors": round(requests * (0.004 if slow == 1.0 else 0.03)),
                    "p50": median,
                    "p90": median * 1.9 * slow**0.5,
                    "p95": median * 2.6 * slow,
                    "p99": median * 4.4 * slow * (1 + rng.uniform(-0.15, 0.15)),
                }
            )
        found.append({"labels": {by: model} if by else {}, "points": points})
    return found


def heatmap(measure: str, start: float, end: float, step: float) -> dict[str, Any]:
    """A narrow body and, in the last fifth, a second hump in the tail."""
    centre = SCALES.get(measure, 0.18)
    edges = [centre * 0.08 * 1.25**j for j in range(29)]
    times = [start + i * step for i in range(max(1, round((end - start) / step)))]
    rng = random.Random(3)
    counts = []
    for i, _ in enumerate(times):
        late = i > len(times) * 0.8
        row = []
        for edge in edges[:-1]:
            body = 60 * math.exp(-((math.log(edge / centre) / 0.42) ** 2))
            hump = 14 * math.exp(-((math.log(edge / (centre * 6)) / 0.3) ** 2)) if late else 0.0
            row.append(round((body + hump) * rng.uniform(0.7, 1.3)))
        counts.append(row)
    return {"t": times, "edges": edges, "counts": counts}


TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"


def incidents() -> dict[str, dict[str, Any]]:
    """An open, an acknowledged and a resolved incident by id; the open one has every kind of evidence."""
    labels = {"slo": "request-errors", "input_type": "code"}
    return {
        "inc-0042": {
            "id": "inc-0042",
            "title": "request-errors: errors in code inputs",
            "status": "open",
            "severity": "page",
            "service": "reference-inference",
            "slo": "request-errors",
            "cause": "slice-errors",
            "slice": {"input_type": "code"},
            "runbook": "slice-errors",
            "opened_at": NOW - 1260,
            "acknowledged_at": None,
            "resolved_at": None,
            "alerts": [
                {"name": "burn-1h", "labels": labels, "state": "firing", "since": NOW - 1260},
                {"name": "burn-6h", "labels": labels, "state": "suppressed", "since": NOW - 900},
            ],
            "timeline": [
                {"at": NOW - 1260, "kind": "opened", "author": None, "text": "burn-1h fires for input_type=code"},
                {"at": NOW - 1258, "kind": "notified", "author": None, "text": "Slack #inference-oncall"},
                {"at": NOW - 900, "kind": "alert_added", "author": None, "text": "burn-6h is suppressed by the page"},
            ],
            "evidence": evidence(),
            "runbook_markdown": RUNBOOK,
        },
        "inc-0041": {
            **bare("inc-0041", "classify-latency: tail spike", "acknowledged", "classify-latency", "tail-spike"),
            "acknowledged_at": NOW - 1500,
        },
        "inc-0037": {
            **bare("inc-0037", "queue-wait: queue grows", "resolved", "queue-wait", "queue-saturation"),
            "opened_at": NOW - 90_000,
            "resolved_at": NOW - 86_000,
        },
    }


def bare(incident_id: str, title: str, status: str, slo_name: str, cause: str) -> dict[str, Any]:
    """An incident about which little is known."""
    return {
        "id": incident_id,
        "title": title,
        "status": status,
        "severity": "ticket",
        "service": "reference-inference",
        "slo": slo_name,
        "cause": cause,
        "slice": {},
        "runbook": cause,
        "opened_at": NOW - 2400,
        "acknowledged_at": None,
        "resolved_at": None,
        "alerts": [],
        "timeline": [],
        "evidence": {},
        "runbook_markdown": None,
    }


def evidence() -> dict[str, Any]:
    """Every kind of evidence at once."""
    return {
        "summary": "11.4 % of the requests with input_type=code fail since 14:12; model version v3 was rolled out "
        f"4 minutes earlier. Tenant note: {MALICIOUS}",
        "cause": "slice-errors",
        "confidence": 0.94,
        "slice": {"input_type": "code"},
        "budget": {"remaining": -1.38, "objective": 0.995},
        "burn": [
            {"long": "1h", "short": "5m", "factor": 14.4, "long_burn": 22.7, "short_burn": 25.0},
            {"long": "6h", "short": "30m", "factor": 6.0, "long_burn": 14.1, "short_burn": 23.8},
            {"long": "24h", "short": "2h", "factor": 3.0, "long_burn": 2.2, "short_burn": 20.4},
        ],
        "attribution": [
            {"dimension": "input_type", "value": "code", "bad": 1040, "total": 9120, "excess_share": 0.93},
            {"dimension": "model_version", "value": "v3", "bad": 611, "total": 14_020, "excess_share": 0.44},
            {"dimension": "tenant", "value": "globex", "bad": 220, "total": 8_300, "excess_share": 0.12},
            {"dimension": "tenant", "value": "acme", "bad": 190, "total": 15_004, "excess_share": 0.04},
        ],
        "tail": [
            {"part": "queue", "before_s": 0.04, "after_s": 0.09, "share": 0.06},
            {"part": "prefill", "before_s": 0.11, "after_s": 0.13, "share": 0.03},
            {"part": "decode", "before_s": 0.62, "after_s": 1.41, "share": 0.91},
        ],
        "changes": [
            {"what": "model_version", "before": "v1", "after": "v3", "text": "v3 serves 31 % of the requests"},
            {"what": "batch_size", "before": 4.0, "after": 7.5, "text": "median batch"},
        ],
        "exemplars": [
            {"trace_id": TRACE_ID, "duration_s": 1.84, "error_type": "tokenizer_error"},
            {"trace_id": "a3ce929d0e0e47364bf92f3577b34da6", "duration_s": 0.92, "error_type": "tokenizer_error"},
        ],
        "drift": [
            {"field": "tokens_in", "p_value": 0.00002, "effect": 0.41, "method": "energy_distance"},
            {"field": "feature.language", "p_value": 0.31, "effect": 0.03, "method": "chi_square"},
        ],
        "report": "inc-0042-drift.html",
    }


def traces() -> list[dict[str, Any]]:
    """Forty requests of the last hour, one of which is the exemplar."""
    rng = random.Random(11)
    found = [
        {
            "trace_id": f"{rng.getrandbits(128):032x}",
            "name": "classify minilm-topic-classifier" if i % 3 else "chat smollm2-135m-instruct",
            "service": "reference-inference",
            "operation": "classify" if i % 3 else "chat",
            "model": "minilm-topic-classifier" if i % 3 else "smollm2-135m-instruct",
            "start": NOW - 20 - i * 41.5,
            "duration": rng.lognormvariate(-1.6, 0.8),
            "error_type": "timeout" if i == 9 else None,
            "input_type": ("chat", "code", "long")[i % 3],
        }
        for i in range(40)
    ]
    found.insert(
        3,
        {
            "trace_id": TRACE_ID,
            "name": "chat smollm2-135m-instruct",
            "service": "reference-inference",
            "operation": "chat",
            "model": "smollm2-135m-instruct",
            "start": NOW - 95,
            "duration": 1.84,
            "error_type": "tokenizer_error",
            "input_type": "code",
        },
    )
    return found


def trace() -> dict[str, Any]:
    """A chat request through a gateway with queue, prefill, decode and a failed step."""
    start = NOW - 95.0

    def span(
        span_id: str, parent: str | None, name: str, offset: float, duration: float, **more: Any
    ) -> dict[str, Any]:
        return {
            "span_id": span_id,
            "parent_span_id": parent,
            "name": name,
            "service": more.pop("service", "reference-inference"),
            "start": start + offset,
            "duration": duration,
            "error_type": more.pop("error", None),
            "attributes": more,
        }

    return {
        "trace_id": TRACE_ID,
        "spans": [
            span("00f067aa0ba902b7", None, "POST /v1/chat", 0.0, 1.84, service="gateway", **{"http.route": "/v1/chat"}),
            span(
                "00f067aa0ba902b8",
                "00f067aa0ba902b7",
                "chat smollm2-135m-instruct",
                0.02,
                1.79,
                error="tokenizer_error",
                **{
                    "gen_ai.operation.name": "chat",
                    "gen_ai.request.model": "smollm2-135m-instruct",
                    "gen_ai.usage.input_tokens": 812,
                    "gen_ai.usage.output_tokens": 96,
                    "tailwatch.queue.duration": 0.21,
                    "tailwatch.input.type": "code",
                    "note": MALICIOUS,
                },
            ),
            span("00f067aa0ba902b9", "00f067aa0ba902b8", "queue", 0.02, 0.21),
            span("00f067aa0ba902ba", "00f067aa0ba902b8", "prefill", 0.23, 0.34),
            span("00f067aa0ba902bb", "00f067aa0ba902b8", "decode", 0.57, 1.21, **{"tailwatch.batch.size": 8}),
            span("00f067aa0ba902bc", "00f067aa0ba902b8", "detokenize", 1.78, 0.03, error="tokenizer_error"),
        ],
    }


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
