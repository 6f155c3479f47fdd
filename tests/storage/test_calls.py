"""Who calls whom, from stored spans, against a plain count over dictionaries."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from storage.calls import count_calls
from storage.database import Database
from storage.ingest import commit
from telemetry.columns import Columns, StringColumn
from telemetry.windows import NANOS
from tests.storage.build import NOW_NS, payload, span_columns

SERVICES = ("gateway", "chat", "retrieval")


def traced(n: int, seed: int) -> Columns:
    """``n`` spans of three services in few traces; ids count up, and are the same in every trace."""
    chance = np.random.default_rng(seed)
    numbers = (np.arange(n) % 50 + 1).astype(">u8")
    parents = np.where(chance.random(n) < 0.8, chance.integers(0, 52, n), 0).astype(">u8")
    traces = np.zeros((n, 16), dtype=np.uint8)
    traces[:, 15] = np.arange(n) // 50
    columns = span_columns(n, seed=seed)
    names = [None if i % 11 == 0 else SERVICES[one] for i, one in enumerate(chance.integers(0, 3, n))]
    return replace(
        columns,
        strings={**columns.strings, "service": StringColumn.of(names)},
        trace_id=traces,
        span_id=numbers.view(np.uint8).reshape(n, 8),
        parent_span_id=parents.view(np.uint8).reshape(n, 8),
    )


def counted(columns: Columns) -> Counter[tuple[str, str]]:
    """The same by a dictionary."""
    services = columns.string("service").optional()
    ids = [(bytes(one), bytes(two)) for one, two in zip(columns.trace_id, columns.span_id, strict=True)]
    owners = dict(zip(ids, services, strict=True))
    found: Counter[tuple[str, str]] = Counter()
    for trace, parent, called in zip(columns.trace_id, columns.parent_span_id, services, strict=True):
        caller = owners.get((bytes(trace), bytes(parent)))
        if caller is not None and called is not None and caller != called:
            found[caller, called] += 1
    return found


def store(database: Database, columns: Columns) -> None:
    commit(database, [payload("spans", columns=(columns,))], NOW_NS)


def test_calls_are_those_that_a_plain_count_finds(database):
    columns = traced(600, seed=1)
    store(database, columns)
    found = count_calls(database, 0, NOW_NS + 1, limit=10_000)
    assert len(found) == 6
    assert found == counted(columns)


def test_only_what_is_within_the_time_and_the_limit_is_read(database):
    columns = traced(600, seed=2)
    store(database, columns)
    newest = columns.take(np.arange(500, 600))
    assert count_calls(database, 0, NOW_NS + 1, limit=100) == counted(newest)
    assert count_calls(database, NOW_NS - 99 * NANOS, NOW_NS + 1, limit=10_000) == counted(newest)
    assert count_calls(database, NOW_NS + 1, NOW_NS + 2, limit=10_000) == {}
