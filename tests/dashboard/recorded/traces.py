"""Traces as the API gives them."""

from __future__ import annotations

import random
from typing import Any

from tests.dashboard.recorded.moment import MALICIOUS, NOW

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"


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
