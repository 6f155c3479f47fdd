"""Realistic requests for tests: confounded dimensions, noisy parts, and the drills' faults. Not a test module."""

import numpy as np

from telemetry.columns import columns_of

NANOS = 1_000_000_000
START_NS = 1_700_000_000 * NANOS

TENANTS = ("acme", "globex", "initech", "umbrella")
TENANT_OF_TYPE = {"chat": (0.4, 0.3, 0.2, 0.1), "code": (0.75, 0.1, 0.1, 0.05), "long": (0.1, 0.2, 0.2, 0.5)}
"""acme sends most of the code: a tenant that looks guilty of whatever befalls code."""


def traffic(
    seed,
    n=4000,
    *,
    start_s=0.0,
    rate=12.0,
    types=(0.6, 0.25, 0.15),
    error=0.003,
    error_of=None,
    canary=0.0,
    spike=0.0,
    queue=0.02,
    slowdown=1.0,
    tokens_out=60.0,
    tokens_scale=1.0,
    cache=0.2,
    warm=0.0,
    confidence_shift=0.0,
    canary_confidence=0.15,
    operations=True,
):
    """(spans, logs) of ``n`` requests; ``error_of`` maps (dimension, value) to an extra error rate."""
    rng = np.random.default_rng(seed)
    input_type = rng.choice(("chat", "code", "long"), n, p=types)
    tenant = np.empty(n, dtype=object)
    for kind, weights in TENANT_OF_TYPE.items():
        rows = input_type == kind
        tenant[rows] = rng.choice(TENANTS, int(rows.sum()), p=weights)
    classify = (rng.random(n) < 0.5) if operations else np.zeros(n, dtype=bool)
    operation = np.where(classify, "classify", "chat")
    version = np.where(~classify & (rng.random(n) < canary), "v3", "v1")
    tokens_in = np.where(input_type == "long", rng.lognormal(6.5, 0.4, n), rng.lognormal(3.5, 0.6, n)) * tokens_scale
    out = np.where(classify, 0.0, rng.lognormal(np.log(tokens_out), 0.5, n)).round()
    hit = ~classify & (rng.random(n) < cache)
    warming = rng.random(n) < warm
    parts = {
        "queue": rng.exponential(queue, n),
        "prefill": tokens_in * 2e-4 * slowdown,
        "decode": np.where(classify, 0.02, out * 0.03 * (~hit)) * rng.gamma(50, 1 / 50, n) * slowdown,
    }
    spiked = classify & (rng.random(n) < spike)
    duration = sum(parts.values()) + rng.exponential(0.01, n) + spiked * rng.uniform(1.5, 2.5, n) + warming * 4.0
    probability = np.full(n, error)
    columns = {"input_type": input_type, "tenant": tenant, "operation": operation, "model_version": version}
    for (dimension, value), extra in (error_of or {}).items():
        probability += extra * (columns[dimension] == value)
    failed = rng.random(n) < probability
    start_ns = START_NS + ((start_s + np.cumsum(rng.exponential(1 / rate, n))) * NANOS).astype(np.int64)
    strings = {
        **columns,
        "model": np.where(classify, "minilm-topic-classifier", "smollm2-135m-instruct"),
        "service": ["reference-inference"] * n,
        "instance": rng.choice(("a", "b"), n),
        "error_type": np.where(failed, "timeout", ""),
        "cache_hit": np.where(classify, "", np.where(hit, "true", "false")),
        "warmup": np.where(warming, "true", ""),
    }
    confidence = rng.beta(6, 3, n) + confidence_shift + (version == "v3") * canary_confidence
    spans = columns_of(
        "span",
        start_ns + (duration * NANOS).astype(np.int64),
        start_ns=start_ns,
        strings={name: [str(v) for v in values] for name, values in strings.items()},
        numbers={
            **parts, "duration": duration, "ttft": np.where(classify, np.nan, parts["queue"] + parts["prefill"]),
            "tokens_in": tokens_in, "tokens_out": np.where(classify, np.nan, out),
            "cost": tokens_in * 1e-6 + out * 4e-6, "batch_size": rng.poisson(3, n) + 1.0,
        },
    )  # fmt: skip
    spans.trace_id[:] = rng.integers(1, 255, (n, 16))
    logs = columns_of(
        "log",
        spans.time_ns,
        strings={
            name: [str(v) for v in strings[name]] for name in ("input_type", "tenant", "operation", "model_version")
        },
        numbers={"confidence": np.clip(confidence, 0, 1), "feature.length": tokens_in * rng.normal(4, 0.2, n)},
    )
    logs.trace_id[:] = spans.trace_id
    return spans, logs
