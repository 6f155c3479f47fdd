"""Shadow traffic: a second version answers a copy of the request, nobody waits for it and nobody sees the answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from reference_model.caller import Caller
from reference_model.errors import ReferenceModelError
from reference_model.operations.text import TextRequest, answer_text
from reference_model.operations.vectors import classify
from reference_model.service import Service

logger = logging.getLogger(__name__)


def shadow_text(service: Service, request: TextRequest, caller: Caller) -> None:
    """Lets the shadow version of the request's model answer too, if it has one."""
    version = service.router.shadow(request.model.partition("@")[0])
    if version is None:
        return

    async def run() -> None:
        async for _ in answer_text(service, request, caller, version):
            pass

    _in_background(service, run())


def shadow_classify(service: Service, model: str, text: str, caller: Caller) -> None:
    """Lets the shadow version of the classifier answer too, if it has one."""
    version = service.router.shadow(model.partition("@")[0])
    if version is not None:
        _in_background(service, classify(service, model, text, caller, version))


def _in_background(service: Service, work: Coroutine[Any, Any, object]) -> None:
    async def guarded() -> None:
        try:
            await work
        except ReferenceModelError as error:
            logger.info("A shadow answer failed: %s", error)

    task = asyncio.create_task(guarded(), name="shadow")
    service.background.add(task)
    task.add_done_callback(service.background.discard)
