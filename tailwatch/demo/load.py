"""The demo's load: the reference service's own generator on a thread with an event loop of its own."""

from __future__ import annotations

import asyncio
import threading
from typing import Final

from reference_model.load.generator import LoadGenerator
from reference_model.load.traffic import Arrivals, LoadChange, Traffic

_STOP_S = 30.0
TRAFFIC: Final = Traffic(
    arrivals=Arrivals(rate=10.0), operations={"classify": 0.80, "chat": 0.12, "embeddings": 0.08}, max_tokens=8
)
"""What two busy cores can serve beside everything else, with enough chat for its drift to be judged: short answers."""


class LoadThread:
    """Traffic from :meth:`start` until :meth:`stop`."""

    def __init__(self, target: str, seed: int, traffic: Traffic) -> None:
        self._generator = LoadGenerator(target, traffic, seed=seed)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)

    @property
    def sent(self) -> int:
        """Requests sent so far."""
        return self._generator.summary.sent

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def change(self, change: LoadChange) -> None:
        """Send as the drill says from now on."""
        self._loop.call_soon_threadsafe(self._generator.change, change)

    def stop(self) -> None:
        """Send no more, and wait for the answers that are still due."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._generator.stop)
            self._thread.join(_STOP_S)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._generator.run())
        self._loop.close()
