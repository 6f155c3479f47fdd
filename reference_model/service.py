"""The running service: models, queues, cache, routing and fault seams wired together. It speaks no HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Final

from reference_model.device import Device, choose_device
from reference_model.encoder import VERSIONS as ENCODER_VERSIONS
from reference_model.encoder import Encoded, Encoder, EncoderItem
from reference_model.engine.admission import Admission
from reference_model.engine.batcher import DynamicBatcher
from reference_model.engine.gate import Gate
from reference_model.engine.generation import Generator
from reference_model.engine.response_cache import ResponseCache
from reference_model.engine.seams import Seams
from reference_model.engine.sequence import GenerationRequest
from reference_model.engine.threads import compute_executor
from reference_model.engine.versions import Split, VersionRouter
from reference_model.errors import UnknownModelError
from reference_model.language_model import LanguageModel
from reference_model.models import minilm, smollm2, topics
from reference_model.settings import CHAT, CLASSIFY, ServeSettings
from reference_model.weights.packages import MINILM, SMOLLM2

Clock = Callable[[], float]
_WARM_UP_PROMPT: Final = "Warm up."


@dataclass(slots=True)
class TextSide:
    """What answers chat and completions."""

    model: LanguageModel
    generator: Generator


@dataclass(slots=True)
class VectorSide:
    """What answers classify and embeddings."""

    encoder: Encoder
    batcher: DynamicBatcher[EncoderItem, Encoded]
    executor: Executor


@dataclass(slots=True)
class Service:
    """One running service; make it with ``start``, end it with ``drain`` and ``stop``."""

    settings: ServeSettings
    device: Device
    router: VersionRouter
    cache: ResponseCache
    seams: Seams
    clock: Clock
    text: TextSide | None
    vectors: VectorSide | None
    gate: Gate = field(default_factory=Gate)
    ready: bool = False
    background: set[asyncio.Task[None]] = field(default_factory=set)

    @classmethod
    async def start(cls, settings: ServeSettings, clock: Clock = time.perf_counter) -> Service:
        """Checks and loads the models that ``settings`` asks for, starts their queues and warms them up.

        Raises WeightsError when a model package is missing or damaged.
        """
        device = choose_device(settings.threads)
        seams = Seams()
        text, vectors = await asyncio.gather(
            _text_side(settings, device, seams, clock), _vector_side(settings, device, seams, clock)
        )
        offered: dict[str, tuple[str, ...]] = {}
        if text is not None:
            offered[smollm2.NAME] = smollm2.VERSIONS
        if vectors is not None:
            offered[topics.NAME] = ENCODER_VERSIONS
            offered[minilm.NAME] = ("v1", "v2")
        cache = ResponseCache(settings.cache_capacity, settings.cache_lifetime_s, clock)
        service = cls(settings, device, VersionRouter(offered), cache, seams, clock, text, vectors)
        await service._warm_up()
        service.ready = True
        return service

    def text_side(self) -> TextSide:
        """The generator. Raises UnknownModelError when it was not asked for at start."""
        if self.text is None:
            raise UnknownModelError("This service was started without the chat model (--models).", "model")
        return self.text

    def vector_side(self) -> VectorSide:
        """The encoder. Raises UnknownModelError when it was not asked for at start."""
        if self.vectors is None:
            raise UnknownModelError("This service was started without the classify model (--models).", "model")
        return self.vectors

    async def set_split(self, model: str, shares: dict[str, float], shadow: str | None = None) -> Split:
        """Loads the versions first, then lets traffic reach them, so that no request pays for the loading."""
        self.router.check_versions(model, [*shares, *([shadow] if shadow else [])])
        if model == smollm2.NAME:
            for version in [*shares, *([shadow] if shadow else [])]:
                await self.text_side().generator.load(version)
        return self.router.set_split(model, shares, shadow)

    async def drain(self) -> None:
        """Refuses new work and waits, at most ``drain_s``, for what was accepted."""
        self.ready = False
        self.gate.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.gate.wait_until_empty(), self.settings.drain_s)

    async def stop(self) -> None:
        """Ends threads and tasks."""
        for task in self.background:
            task.cancel()
        await asyncio.gather(*self.background, return_exceptions=True)
        if self.vectors is not None:
            await self.vectors.batcher.stop()
            self.vectors.executor.shutdown()
        if self.text is not None:
            await asyncio.to_thread(self.text.generator.stop)

    async def _warm_up(self) -> None:
        """One request to each model: first calls allocate and choose kernels, users should not wait for that."""
        work: list[Awaitable[None]] = []
        if self.vectors is not None:
            work.append(_warm_encoder(self.vectors))
        if self.text is not None:
            work.append(_warm_generator(self.text))
        await asyncio.gather(*work)


async def _text_side(settings: ServeSettings, device: Device, seams: Seams, clock: Clock) -> TextSide | None:
    if CHAT not in settings.models:
        return None
    model = await asyncio.to_thread(lambda: LanguageModel(SMOLLM2.verified(), device, settings))
    limit = settings.generation_limit
    admission = Admission("generation", limit, settings.tenant_limit(limit), clock)
    generator = Generator(lambda version: model.engine(version, clock), admission, seams, clock)
    await generator.load("v1")
    generator.start()
    return TextSide(model, generator)


async def _vector_side(settings: ServeSettings, device: Device, seams: Seams, clock: Clock) -> VectorSide | None:
    if CLASSIFY not in settings.models:
        return None
    executor = compute_executor("encoder")
    loop = asyncio.get_running_loop()
    encoder = await loop.run_in_executor(executor, lambda: Encoder(MINILM.verified(), device))
    limit = settings.encoder_limit
    batcher = DynamicBatcher[EncoderItem, Encoded](
        encoder.encode,
        executor=executor,
        max_batch=settings.encoder_batch,
        max_wait_s=settings.encoder_wait_s,
        admission=Admission("encoder", limit, settings.tenant_limit(limit), clock),
        seams=seams,
        clock=clock,
    )
    batcher.start()
    return VectorSide(encoder, batcher, executor)


async def _warm_encoder(side: VectorSide) -> None:
    await side.batcher.submit(EncoderItem("v1", side.encoder.tokenizer.encode(_WARM_UP_PROMPT)), "warm-up")


async def _warm_generator(side: TextSide) -> None:
    tokenizer = side.model.tokenizer
    prompt = tuple(tokenizer.encode_chat([("user", _WARM_UP_PROMPT)]))
    request = GenerationRequest(prompt, max_tokens=2, stop_tokens=tokenizer.stop_tokens)
    async for _ in side.generator.generate("v1", request, "warm-up"):
        pass
