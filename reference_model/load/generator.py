"""Sends open-loop traffic to the service: requests leave when they are due, however slow the answers are."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Final

import httpx

from reference_model.load.arrivals import TraceRow, next_gap
from reference_model.load.prompts import Ask, PromptSource
from reference_model.load.summary import Summary
from reference_model.load.traffic import LoadChange, Traffic

_MOST_OPEN: Final = 512
"""Requests under way at once; beyond that the client itself would be the bottleneck, so they are counted as skipped."""
_TIMEOUT_S: Final = 60.0
_CHAT_MODEL: Final = "smollm2-135m-instruct"

Feedback = Callable[[str, str, str, bool], None]
"""(trace id, span id, true label, whether the answer was right)."""


class LoadGenerator:
    """One client population. ``traffic`` may be set at any time and is felt within a second.

    ``feedback`` receives the true topic of classifications, for ``traffic.feedback_share`` of them.
    """

    def __init__(
        self,
        target: str,
        traffic: Traffic | None = None,
        seed: int = 0,
        feedback: Feedback | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.target = target.rstrip("/")
        self.traffic = traffic or Traffic()
        self.summary = Summary()
        self._feedback = feedback
        self._clock = clock
        self._random = random.Random(seed)  # noqa: S311 - load is not cryptography
        self._prompts = PromptSource(seed)
        self._open: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()

    def change(self, change: LoadChange) -> Traffic:
        """Applies a drill's change and returns the traffic that was, to be set again when the drill ends."""
        before = self.traffic
        self.traffic = change.apply(before)
        return before

    def set_rate(self, rate: float) -> None:
        """Requests a second from now on; 0 pauses."""
        self.traffic = replace(self.traffic, arrivals=replace(self.traffic.arrivals, rate=rate))

    def stop(self) -> None:
        """Ends ``run`` or ``replay``; requests under way are waited for."""
        self._stopping.set()

    async def run(self, seconds: float | None = None) -> Summary:
        """Sends for ``seconds`` (None: until ``stop``), waits for the last answers, and returns the summary."""
        async with self._client() as client:
            started = due = self._clock()
            while not self._stopping.is_set() and (seconds is None or due - started < seconds):
                gap, arrives = next_gap(self.traffic.arrivals, due - started, self._random)
                due += gap
                await self._wait_until(due)
                if arrives and not self._stopping.is_set():
                    self._launch(client, self._prompts.draw(self.traffic))
            await self._finish()
        return self.summary

    async def replay(self, rows: Iterable[TraceRow], time_scale: float, seconds: float | None = None) -> Summary:
        """Sends the rows at their own times, ``time_scale`` times as fast, for at most ``seconds`` of our time."""
        async with self._client() as client:
            started = self._clock()
            for row in rows:
                offset = row.offset_s / time_scale
                if self._stopping.is_set() or (seconds is not None and offset >= seconds):
                    break
                await self._wait_until(started + offset)
                self._launch(client, self._prompts.replayed(row, self.traffic))
            await self._finish()
        return self.summary

    def _client(self) -> httpx.AsyncClient:
        limits = httpx.Limits(max_connections=_MOST_OPEN, max_keepalive_connections=64)
        return httpx.AsyncClient(base_url=self.target, timeout=_TIMEOUT_S, limits=limits, trust_env=False)

    async def _wait_until(self, due: float) -> None:
        left = due - self._clock()
        if left <= 0:
            await asyncio.sleep(0)
            return
        try:
            await asyncio.wait_for(self._stopping.wait(), left)
        except TimeoutError:
            return

    def _launch(self, client: httpx.AsyncClient, ask: Ask) -> None:
        if len(self._open) >= _MOST_OPEN:
            self.summary.skipped += 1
            return
        self.summary.sent += 1
        task = asyncio.create_task(self._send(client, ask))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _finish(self) -> None:
        while self._open:
            await asyncio.wait(self._open)

    async def _send(self, client: httpx.AsyncClient, ask: Ask) -> None:
        started = self._clock()
        path, body = _request(ask)
        headers = {"x-tenant": ask.tenant, "x-input-type": ask.input_type}
        if ask.fresh:
            headers["cache-control"] = "no-cache"
        try:
            if body.get("stream"):
                status = await self._stream(client, path, body, headers, started)
            else:
                response = await client.post(path, json=body, headers=headers)
                status = str(response.status_code)
                self._judge(ask, response)
        except httpx.HTTPError as error:
            status = type(error).__name__
        self.summary.record(ask.operation, status, self._clock() - started)

    async def _stream(
        self, client: httpx.AsyncClient, path: str, body: dict[str, Any], headers: dict[str, str], started: float
    ) -> str:
        async with client.stream("POST", path, json=body, headers=headers) as response:
            first = True
            async for line in response.aiter_lines():
                if first and '"content":"' in line and '"content":""' not in line:
                    first = False
                    self.summary.latency_s["ttft"].append(self._clock() - started)
                if line.startswith('data: {"error"'):
                    return str(json.loads(line[6:])["error"]["code"])
            return str(response.status_code)

    def _judge(self, ask: Ask, response: httpx.Response) -> None:
        if response.headers.get("x-cache") == "hit":
            self.summary.cache_hits += 1
        if self._feedback is None or ask.operation != "classify" or ask.topic is None or response.is_error:
            return
        if self._random.random() < self.traffic.feedback_share:
            correct = response.json()["label"] == ask.topic
            self._feedback(response.headers["x-trace-id"], response.headers["x-span-id"], ask.topic, correct)


def _request(ask: Ask) -> tuple[str, dict[str, Any]]:
    """Path and JSON body."""
    if ask.operation == "classify":
        return "/v1/classify", {"input": ask.text}
    if ask.operation == "embeddings":
        return "/v1/embeddings", {"input": ask.text}
    body: dict[str, Any] = {"model": _CHAT_MODEL, "max_tokens": ask.max_tokens, "stream": ask.stream}
    if ask.operation == "text_completion":
        return "/v1/completions", {**body, "prompt": ask.text}
    return "/v1/chat/completions", {**body, "messages": [{"role": "user", "content": ask.text}]}
