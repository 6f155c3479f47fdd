"""Brings answers from threads to an event loop, with one wake-up for however many there are; it waits for nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque

from collector.admission import Lease
from collector.intake import Intake
from collector.request import Outcome, Receipt, Request


class Mailbox:
    """The way of one event loop to the intake and back; make it, and ask, within the loop."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._loop = asyncio.get_running_loop()
        self._letters: deque[tuple[asyncio.Future[Receipt], Outcome]] = deque()
        self._is_called = False

    async def ask(self, request: Request, lease: Lease) -> Receipt:
        """The receipt for a whole request, whose body ``lease`` covers.

        Raises:
            PayloadError: refused for good.
            OverloadedError: not stored, come again.
        """
        answer: asyncio.Future[Receipt] = self._loop.create_future()
        self._intake.take(request, lease, lambda outcome: self._post(answer, outcome))
        return await answer

    def _post(self, answer: asyncio.Future[Receipt], outcome: Outcome) -> None:
        """Called in any thread. The letter is left before the look at whether the loop is called."""
        self._letters.append((answer, outcome))
        if not self._is_called:
            self._is_called = True
            with contextlib.suppress(RuntimeError):  # the loop was closed: there is nobody to be answered any more
                self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        self._is_called = False
        while self._letters:
            answer, outcome = self._letters.popleft()
            if answer.done():  # cancelled, with its connection
                continue
            if isinstance(outcome, Receipt):
                answer.set_result(outcome)
            else:
                answer.set_exception(outcome)
