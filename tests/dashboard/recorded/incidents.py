"""Incidents as the API gives them: one that is open with every kind of evidence, one acknowledged, one resolved."""

from __future__ import annotations

from typing import Any

from tests.dashboard.recorded.moment import MALICIOUS, NOW
from tests.dashboard.recorded.traces import TRACE_ID

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
            "runbook_first_step": f"Open an exemplar trace and read error.type. {MALICIOUS}",
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
