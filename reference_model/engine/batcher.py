"""Dynamic batching: requests that arrive close together share one call; the queue is bounded, never dropped from."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Generic, TypeVar

from reference_model.engine.admission import Admission
from reference_model.engine.seams import Seams

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Batched(Generic[Result]):
    """A result with the seconds it waited and computed, and how many shared its batch."""

    value: Result
    queue_s: float
    compute_s: float
    batch_size: int


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[Item, Result]):
    item: Item
    arrived_at: float
    done: asyncio.Future[Batched[Result]]


class DynamicBatcher(Generic[Item, Result]):
    """Runs ``compute`` on up to ``max_batch`` items, at most ``max_wait_s`` after the first of them arrived.

    ``compute`` maps n items to n results in the executor's one thread; when it raises, all n callers get its error.
    While a batch computes, newcomers gather, so under load batches fill without anybody waiting for the limit.
    """

    def __init__(
        self,
        compute: Callable[[Sequence[Item]], Sequence[Result]],
        *,
        executor: Executor,
        max_batch: int,
        max_wait_s: float,
        admission: Admission,
        seams: Seams,
        clock: Callable[[], float],
    ) -> None:
        self._compute = compute
        self._executor = executor
        self._max_batch = max_batch
        self._max_wait_s = max_wait_s
        self.admission = admission
        self._seams = seams
        self._clock = clock
        self._queue: deque[_Waiting[Item, Result]] = deque()
        self._arrival = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._computing = self._last_batch = 0

    @property
    def waiting(self) -> int:
        """Items that no batch has taken yet."""
        return len(self._queue)

    @property
    def running(self) -> int:
        """Items that are computed now."""
        return self._computing

    @property
    def last_batch(self) -> int:
        """How many items the newest batch had; 0 before the first."""
        return self._last_batch

    def start(self) -> None:
        """Starts to form batches on the running loop."""
        self._task = asyncio.create_task(self._run(), name="batcher")

    async def stop(self) -> None:
        """Stops forming batches; call it when nothing waits any more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def submit(self, item: Item, tenant: str) -> Batched[Result]:
        """The result for ``item``. Raises QueueFullError, and what ``compute`` raised."""
        with self.admission.admit(tenant):
            waiting = _Waiting(item, self._clock(), asyncio.get_running_loop().create_future())
            self._queue.append(waiting)
            self._arrival.set()
            return await waiting.done

    async def _run(self) -> None:
        while True:
            await self._gather()
            batch = [self._queue.popleft() for _ in range(min(self._max_batch, len(self._queue)))]
            batch = [waiting for waiting in batch if not waiting.done.done()]
            if batch:
                self._computing = self._last_batch = len(batch)
                await self._serve(batch)
                self._computing = 0

    async def _gather(self) -> None:
        """Returns when a batch is full, or its first item has waited long enough."""
        while not self._queue:
            self._arrival.clear()
            await self._arrival.wait()
        while len(self._queue) < self._max_batch:
            left = self._queue[0].arrived_at + self._max_wait_s - self._clock()
            if left <= 0:
                return
            self._arrival.clear()
            try:
                await asyncio.wait_for(self._arrival.wait(), left)
            except TimeoutError:
                return

    async def _serve(self, batch: list[_Waiting[Item, Result]]) -> None:
        loop = asyncio.get_running_loop()
        try:
            started_at, ended_at, results = await loop.run_in_executor(
                self._executor, self._timed, [waiting.item for waiting in batch]
            )
        except Exception as error:  # noqa: BLE001 - it belongs to the callers of this batch
            for waiting in batch:
                if not waiting.done.done():
                    waiting.done.set_exception(error)
            return
        for waiting, result in zip(batch, results, strict=True):
            if not waiting.done.done():
                waiting.done.set_result(
                    Batched(result, started_at - waiting.arrived_at, ended_at - started_at, len(batch))
                )

    def _timed(self, items: Sequence[Item]) -> tuple[float, float, Sequence[Result]]:
        for act in list(self._seams.before_batch):
            act(len(items))
        started_at = self._clock()
        results = self._compute(items)
        return started_at, self._clock(), results
