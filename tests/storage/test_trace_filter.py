"""A filter never denies an id that is in it, and rarely affirms one that is not."""

from __future__ import annotations

import numpy as np
import pytest

from storage.trace_filter import BLOCK_BYTES, build, may_hold, may_hold_any, probes
from tests.storage.build import ids


@pytest.mark.parametrize("n", [1, 2, 100, 5000])
def test_every_id_is_found(n: int):
    held = ids(3, n, 16)
    made = build(np.repeat(held, 3, axis=0))
    assert made is not None
    assert all(may_hold_any(made, [probe]) for probe in probes(held))
    assert len(made) <= BLOCK_BYTES * (1 + n * 20 // (8 * BLOCK_BYTES))


def test_few_others_are_found():
    made = build(ids(3, 4000, 16))
    assert made is not None
    assert sum(may_hold_any(made, [probe]) for probe in probes(ids(4, 20_000, 16))) < 40


def test_ids_that_count_upwards_spread_as_well():
    numbers = np.zeros((4000, 16), dtype=np.uint8)
    numbers[:, 14:] = np.arange(1, 4001, dtype=">u2").view(np.uint8).reshape(-1, 2)
    made = build(numbers[::2])
    assert made is not None
    assert all(may_hold_any(made, [probe]) for probe in probes(numbers[::2]))
    assert sum(may_hold_any(made, [probe]) for probe in probes(numbers[1::2])) < 20


def test_ids_of_zero_are_none():
    assert build(np.zeros((3, 16), dtype=np.uint8)) is None
    assert build(np.zeros((0, 16), dtype=np.uint8)) is None


def test_filters_are_compared_by_the_blocks_that_were_picked():
    held = ids(5, 3, 16)
    (probe,) = probes(held[:1])
    filters = [build(held[:1]), build(held[1:2]), build(held)]
    picked = b"".join(one[:BLOCK_BYTES] for one in filters if one)
    assert may_hold(picked, probe).tolist() == [True, False, True]
