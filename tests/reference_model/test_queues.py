"""Admission, dynamic batching and the response cache, without models."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import pytest

from reference_model.engine.admission import Admission
from reference_model.engine.batcher import DynamicBatcher
from reference_model.engine.gate import Gate
from reference_model.engine.response_cache import ResponseCache
from reference_model.engine.seams import Seams
from reference_model.errors import DrainingError, QueueFullError


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def _admission(limit: int = 4, tenant_limit: int = 3) -> Admission:
    return Admission("test", limit, tenant_limit, Clock())


async def test_a_full_queue_refuses_with_a_time_to_retry_after() -> None:
    admission = _admission()
    with admission.admit("a"), admission.admit("a"), admission.admit("b"), admission.admit("b"):
        with pytest.raises(QueueFullError, match="queue is full") as refused, admission.admit("c"):
            pass
        assert refused.value.retry_after_s >= 1
    assert admission.inside == 0


async def test_one_tenant_cannot_fill_the_queue() -> None:
    admission = _admission()
    with admission.admit("a"), admission.admit("a"), admission.admit("a"):
        with pytest.raises(QueueFullError, match="Tenant a has 3"), admission.admit("a"):
            pass
        with admission.admit("b"):
            assert admission.inside == 4


async def test_retry_after_follows_the_pace() -> None:
    clock = Clock()
    admission = Admission("test", 100, 100, clock)
    with admission.admit("a"), admission.admit("a"), admission.admit("a"), admission.admit("a"):
        assert admission.retry_after_s() == 1
        for _ in range(60):
            clock.now += 5
            with admission.admit("b"):
                pass
        assert 8 <= admission.retry_after_s() <= 10


async def test_a_closed_gate_refuses_the_new_and_waits_for_the_old() -> None:
    gate = Gate()
    with gate.enter():
        gate.close()
        with pytest.raises(DrainingError), gate.enter():
            pass
        waiting = asyncio.create_task(gate.wait_until_empty())
        await asyncio.sleep(0)
        assert not waiting.done()
    await waiting


@asynccontextmanager
async def _batcher(
    compute: object, max_batch: int = 4, seams: Seams | None = None
) -> AsyncIterator[DynamicBatcher[int, int]]:
    with ThreadPoolExecutor(1) as executor:
        batcher: DynamicBatcher[int, int] = DynamicBatcher(
            compute,  # type: ignore[arg-type]
            executor=executor,
            max_batch=max_batch,
            max_wait_s=0.01,
            admission=_admission(64, 64),
            seams=seams or Seams(),
            clock=asyncio.get_running_loop().time,
        )
        batcher.start()
        yield batcher
        await batcher.stop()


async def test_requests_that_come_together_share_batches_and_get_their_own_results() -> None:
    batches: list[int] = []

    def double(items: Sequence[int]) -> list[int]:
        batches.append(len(items))
        return [2 * item for item in items]

    async with _batcher(double) as batcher:
        results = await asyncio.gather(*(batcher.submit(i, "a") for i in range(10)))
    assert [result.value for result in results] == [2 * i for i in range(10)]
    assert max(batches) == 4
    assert sum(batches) == 10
    assert results[0].batch_size == 4
    assert all(result.queue_s >= 0 and result.compute_s >= 0 for result in results)


async def test_those_who_come_while_a_batch_computes_go_together() -> None:
    entered, release = threading.Event(), threading.Event()
    batches: list[list[int]] = []

    def compute(items: Sequence[int]) -> list[int]:
        batches.append(list(items))
        entered.set()
        release.wait(10)
        return list(items)

    async with _batcher(compute) as batcher:
        first = asyncio.create_task(batcher.submit(0, "a"))
        await asyncio.to_thread(entered.wait, 10)
        rest = [asyncio.create_task(batcher.submit(i, "a")) for i in (1, 2, 3)]
        await asyncio.sleep(0)
        release.set()
        results = await asyncio.gather(first, *rest)
    assert batches == [[0], [1, 2, 3]]
    assert results[1].queue_s > 0


async def test_a_failing_batch_fails_its_callers_and_not_the_next() -> None:
    def compute(items: Sequence[int]) -> list[int]:
        if 13 in items:
            raise ValueError("thirteen")
        return list(items)

    async with _batcher(compute) as batcher:
        with pytest.raises(ValueError, match="thirteen"):
            await batcher.submit(13, "a")
        assert (await batcher.submit(1, "a")).value == 1
        assert batcher.admission.inside == 0


async def test_a_seam_acts_before_each_batch() -> None:
    sizes: list[int] = []
    async with _batcher(list, seams=Seams(before_batch=[sizes.append])) as batcher:
        await asyncio.gather(*(batcher.submit(i, "a") for i in range(3)))
    assert sizes == [3]


def test_the_cache_forgets_the_least_recent_the_old_and_everything_when_asked() -> None:
    clock = Clock()
    cache = ResponseCache(2, 10.0, clock)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.get("a") == 1
    cache.put("c", 3)
    assert cache.get("b") is None
    clock.now = 11
    assert cache.get("a") is None
    cache.put("d", 4)
    cache.clear()
    assert len(cache) == 0


def test_a_disabled_cache_misses_and_stores_nothing() -> None:
    cache = ResponseCache(2, 10.0, Clock())
    cache.put("a", 1)
    cache.enabled = False
    assert cache.get("a") is None
    cache.put("b", 2)
    cache.enabled = True
    assert cache.get("b") is None
