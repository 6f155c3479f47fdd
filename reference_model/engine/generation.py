"""Generation for asyncio callers: one thread steps the slot engines of all versions in turn.

Bounded by ``Admission``; it does no text processing.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable
from functools import partial

from reference_model.engine.admission import Admission
from reference_model.engine.seams import Seams
from reference_model.engine.sequence import (
    FailedEvent,
    FinishedEvent,
    GenerationEvent,
    GenerationRequest,
    Sequence,
    TokenEvent,
)
from reference_model.engine.slots import SlotEngine
from reference_model.engine.threads import become_background


class Generator:
    """Owns the generator's thread; ``make_engine`` builds a version's engine when it is first asked for.

    ``make_engine`` runs in a thread of its own, so generations of other versions go on while a version loads.
    """

    def __init__(
        self,
        make_engine: Callable[[str], SlotEngine],
        admission: Admission,
        seams: Seams,
        clock: Callable[[], float],
    ) -> None:
        self._make_engine = make_engine
        self.admission = admission
        self._seams = seams
        self._clock = clock
        self._engines: dict[str, SlotEngine] = {}
        self._loading = asyncio.Lock()
        self._inbox: deque[tuple[str, Sequence]] = deque()
        self._hand_over = threading.Lock()
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="generator", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread after its present step; what still runs is cancelled."""
        self._stopping = True
        self._wake.set()
        self._thread.join()

    @property
    def loaded(self) -> dict[str, tuple[int, int]]:
        """(waiting, running) of each loaded version."""
        return {version: (engine.waiting, engine.running) for version, engine in self._engines.items()}

    @property
    def waiting(self) -> int:
        """Requests that no batch has taken yet."""
        return len(self._inbox) + sum(waiting for waiting, _ in self.loaded.values())

    async def load(self, version: str) -> None:
        """Makes sure that ``version`` is in memory."""
        async with self._loading:
            if version not in self._engines:
                self._engines[version] = await asyncio.to_thread(self._make_engine, version)

    def unload(self, version: str) -> bool:
        """Forgets a version that is idle, so that the next request loads it again; False when it is in use."""
        with self._hand_over:
            engine = self._engines.get(version)
            promised = any(wanted == version for wanted, _ in self._inbox)
            if engine is None or not engine.idle or promised:
                return False
            del self._engines[version]
            return True

    async def generate(
        self, version: str, request: GenerationRequest, tenant: str
    ) -> AsyncIterator[TokenEvent | FinishedEvent]:
        """Tokens as they come, then one FinishedEvent. Leaving early cancels the generation.

        Raises QueueFullError when there is no room, and what the model raised.
        """
        with self.admission.admit(tenant):
            submitted_at = self._clock()
            await self.load(version)
            for shape in self._seams.shape_generation:
                request = shape(request)
            loop = asyncio.get_running_loop()
            events: asyncio.Queue[GenerationEvent] = asyncio.Queue()
            sequence = Sequence(request, partial(_deliver, loop, events), submitted_at)
            self._inbox.append((version, sequence))
            self._wake.set()
            try:
                while True:
                    event = await events.get()
                    if isinstance(event, FailedEvent):
                        raise event.error
                    yield event
                    if isinstance(event, FinishedEvent):
                        return
            finally:
                sequence.cancelled = True

    def _run(self) -> None:
        become_background()
        while not self._stopping:
            self._take_inbox()
            busy = [engine for engine in list(self._engines.values()) if not engine.idle]
            if not busy:
                self._wake.wait()
                self._wake.clear()
                continue
            for act in list(self._seams.before_step):
                act()
            for engine in busy:
                engine.step()

    def _take_inbox(self) -> None:
        with self._hand_over:
            while self._inbox:
                version, sequence = self._inbox.popleft()
                self._engines[version].submit(sequence)


def _deliver(loop: asyncio.AbstractEventLoop, events: asyncio.Queue[GenerationEvent], event: GenerationEvent) -> None:
    """From the generator's thread to the caller's loop; a loop that has closed has no callers left."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(events.put_nowait, event)
