"""Runs an async generator in one task of its own, whoever reads it.

A span that is opened inside must begin and end in the same context, but a streamed HTTP answer is first awaited by
the route and then iterated by the server, in another task.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

T = TypeVar("T")


async def in_own_task(source: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """The items of ``source``; its exception is raised here, and leaving early cancels it."""
    items: asyncio.Queue[T | None] = asyncio.Queue()

    async def pump() -> None:
        try:
            async with aclosing(source):
                async for item in source:
                    items.put_nowait(item)
        finally:
            items.put_nowait(None)

    task = asyncio.create_task(pump(), name="request")
    try:
        while (item := await items.get()) is not None:
            yield item
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
