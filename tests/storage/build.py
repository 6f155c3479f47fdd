"""Records and payloads for the storage tests: small, seeded, and with something of everything."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

from storage.ingest import PreparedPayload
from telemetry.columns import ByteColumn, Columns, StringColumn, columns_of
from telemetry.deltas import Distribution, DistributionDelta, SliDelta, group_key
from telemetry.windows import NANOS

NOW_NS = 1_700_000_000 * NANOS
"""A multiple of every bucket's width is not far: the tests align where they need to."""

GROUP = group_key({"service": "chat"})


def digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def ids(seed: int, n: int, size: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 256, (n, size), dtype=np.uint8)


def span_columns(n: int, *, end_ns: int = NOW_NS, service: str = "chat", seed: int = 0) -> Columns:
    """``n`` spans a second apart, the last at ``end_ns``: every third failed, every second of model v2."""
    time_ns = end_ns - np.arange(n, dtype=np.int64)[::-1] * NANOS
    columns = columns_of(
        "span",
        time_ns,
        start_ns=time_ns - (np.arange(n, dtype=np.int64) + 1) * 100_000_000,
        strings={
            "service": [service] * n,
            "operation": ["chat" if i % 2 else "embeddings" for i in range(n)],
            "model_version": ["v2" if i % 2 else "v1" for i in range(n)],
            "error_type": ["timeout" if i % 3 == 0 else None for i in range(n)],
            "user": [f"user-{i}" for i in range(n)],
            "http.route": ["/chat" if i % 4 == 0 else None for i in range(n)],
        },
        numbers={
            "duration": [(i + 1) * 0.1 for i in range(n)],
            "tokens_in": [float(i) if i % 2 else np.nan for i in range(n)],
            "cost": [0.001] * n,
            "feature.length": [float(i) if i % 5 == 0 else np.nan for i in range(n)],
        },
    )
    return replace(
        columns,
        trace_id=ids(seed, n, 16),
        span_id=ids(seed + 1, n, 8),
        name=StringColumn.of(["chat m"] * n),
        raw=ByteColumn.of([f"raw {i}".encode() for i in range(n)]),
        resource=np.asarray([i % 2 for i in range(n)], dtype=np.int32),
        resources=(b"resource a", b"resource b"),
    )


def log_columns(n: int, *, end_ns: int = NOW_NS, seed: int = 0, dimensions: int = 4) -> Columns:
    """``n`` inference logs for the spans of ``span_columns`` with the same ``seed``; the first has no embedding."""
    time_ns = end_ns - np.arange(n, dtype=np.int64)[::-1] * NANOS
    columns = columns_of(
        "log",
        time_ns,
        strings={
            "service": ["chat"] * n,
            "prediction": ["yes" if i % 2 else "no" for i in range(n)],
            "feature.language": ["de"] * n,
        },
        numbers={"confidence": [i / n for i in range(n)], "feature.length": [float(i) for i in range(n)]},
    )
    embeddings = np.random.default_rng(seed).normal(size=(n, dimensions)).astype(np.float32)
    if n:
        embeddings[0] = np.nan
    return replace(columns, trace_id=ids(seed, n, 16), span_id=ids(seed + 1, n, 8), embeddings=embeddings)


def sli(bucket_ns: int, good: int = 1, total: int = 1, *, rule: str = "rule", group: str = GROUP) -> SliDelta:
    return SliDelta(rule, group, bucket_ns, good, total)


def spread(
    bucket_ns: int, distribution: Distribution, *, rule: str = "rule", group: str = GROUP, field: str = "duration"
) -> DistributionDelta:
    return DistributionDelta(rule, group, bucket_ns, field, distribution)


def payload(name: str, *deltas: SliDelta | DistributionDelta, columns: tuple[Columns, ...] = ()) -> PreparedPayload:
    return PreparedPayload(
        digests=(digest(name),),
        columns=columns,
        sli=tuple(delta for delta in deltas if isinstance(delta, SliDelta)),
        distributions=tuple(delta for delta in deltas if isinstance(delta, DistributionDelta)),
        spans=sum(len(batch) for batch in columns),
    )
