"""Sketches come back from their bytes as they were, in any company, and other bytes are refused in one sentence."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry.errors import TailwatchError
from telemetry.sketch_bytes import from_bytes, to_bytes
from telemetry.sketches import DDSketch
from tests.telemetry.test_sketches import VALUES, same


@settings(max_examples=200, deadline=None)
@given(batch=st.lists(VALUES, max_size=6))
def test_sketches_come_back_and_company_does_not_matter(batch: list[list[float]]) -> None:
    sketches = [DDSketch.of(values) for values in batch]
    bodies = to_bytes(sketches)
    assert len(bodies) == len(sketches)
    for sketch, body in zip(sketches, bodies, strict=True):
        again = from_bytes(body)
        assert same(again, sketch)
        assert again.total == sketch.total
        assert again.keys.dtype == again.negative_keys.dtype == np.int32
        assert again.counts.dtype == again.negative_counts.dtype == np.int64
        assert to_bytes([again]) == [body]


def parts(sketch: DDSketch) -> tuple[object, ...]:
    bins = (sketch.keys, sketch.counts, sketch.negative_keys, sketch.negative_counts)
    return *(numbers.tolist() for numbers in bins), sketch.zero_count, sketch.total, sketch.low, sketch.high


@pytest.mark.parametrize("count", [1, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**60])
@pytest.mark.parametrize("step", [1, 255, 256, 65_535, 65_536])
def test_large_counts_and_gaps_come_back(count: int, step: int) -> None:
    counts = np.asarray([1, count, 2])
    keys = np.asarray([-40_000, step - 40_000, 2 * step - 40_000], dtype=np.int32)
    sketch = DDSketch(keys, counts, keys[1:], counts[1:], 3, 1.0, 0.5, 2.0)
    plain = DDSketch.of([1.0, 2.0])
    for body, expected in zip(to_bytes([plain, sketch, plain]), (plain, sketch, plain), strict=True):
        assert parts(from_bytes(body)) == parts(expected)


def test_a_bin_of_a_batch_takes_two_bytes() -> None:
    (body,) = to_bytes([DDSketch.of(np.geomspace(0.01, 10, 1000))])
    assert len(body) < 2 * 350 + 60


@pytest.mark.parametrize(
    "change",
    [
        lambda body: b"",
        lambda body: b"\x01" + body[1:],
        lambda body: body[:1] + b"\x03" + body[2:],
        lambda body: body[:2] + b"\x00" + body[3:],
        lambda body: body[:-1],
        lambda body: body + b"\x00",
    ],
)
def test_other_bytes_are_one_sentence(change: Callable[[bytes], bytes]) -> None:
    (body,) = to_bytes([DDSketch.of([1.0, 2.0])])
    with pytest.raises(TailwatchError, match="stored sketch"):
        from_bytes(change(body))
