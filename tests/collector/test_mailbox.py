from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from collector.intake import Intake
from collector.mailbox import Mailbox
from collector.request import Receipt, Reply, Request
from telemetry.clock import ManualClock
from telemetry.errors import OverloadedError

REQUEST = Request("span", "protobuf", b"")


class Desk(Intake):
    """An intake that is answered by hand."""

    def __init__(self) -> None:
        super().__init__(lambda payloads: None, ManualClock())
        self.replies: list[Reply] = []

    def take(self, request: Request, lease: Any, reply: Reply) -> None:
        lease.release()
        self.replies.append(reply)


async def asked(desk: Desk, mailbox: Mailbox, count: int) -> list[asyncio.Task[Receipt]]:
    tasks = [asyncio.ensure_future(mailbox.ask(REQUEST, desk.lease())) for _ in range(count)]
    await asyncio.sleep(0)
    assert len(desk.replies) == count
    return tasks


async def test_many_answers_wake_the_loop_once(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()
    mailbox = Mailbox(desk)
    tasks = await asked(desk, mailbox, 20)
    loop = asyncio.get_running_loop()
    calls: list[object] = []
    call = loop.call_soon_threadsafe
    monkeypatch.setattr(loop, "call_soon_threadsafe", lambda *given: (calls.append(given), call(*given))[1])
    answering = threading.Thread(target=lambda: [reply(Receipt(rejected=1)) for reply in desk.replies])
    answering.start()
    answering.join(30)
    assert [receipt.rejected for receipt in await asyncio.gather(*tasks)] == [1] * 20
    assert len(calls) == 1
    desk.close()


async def test_a_refusal_is_raised_and_who_left_is_not_answered() -> None:
    desk = Desk()
    mailbox = Mailbox(desk)
    left, refused = await asked(desk, mailbox, 2)
    left.cancel()
    await asyncio.sleep(0)
    for reply in desk.replies:
        reply(OverloadedError("full", retry_after_s=1))
    with pytest.raises(OverloadedError):
        await refused
    desk.close()


def test_answers_after_the_end_of_the_loop_do_no_harm() -> None:
    desk = Desk()

    async def ask_and_leave() -> None:
        for task in await asked(desk, Mailbox(desk), 2):
            task.cancel()

    asyncio.run(ask_and_leave())
    for reply in desk.replies:
        reply(Receipt())
    desk.close()
