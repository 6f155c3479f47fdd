"""The generator's weights as the service uses them: versions derived when first used, engines built for them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from reference_model.device import Device
from reference_model.engine.slots import SlotEngine
from reference_model.errors import UnknownModelError
from reference_model.models import smollm2
from reference_model.models.llama import Llama
from reference_model.models.tokenizers import ChatTokenizer
from reference_model.settings import ServeSettings
from reference_model.weights.gguf_file import GgufFile


class LanguageModel:
    """All versions of SmolLM2. ``weights`` stays mapped, so that v1 can be loaded again after an unload."""

    def __init__(self, weights: Path, device: Device, settings: ServeSettings) -> None:
        self._file = GgufFile(weights)
        self._device = device
        self._settings = settings
        self.tokenizer = ChatTokenizer(self._file.metadata)
        self._versions: dict[str, Llama] = {}
        self._building = threading.Lock()

    @property
    def loaded(self) -> tuple[str, ...]:
        """Versions in memory."""
        return tuple(self._versions)

    def engine(self, version: str, clock: Callable[[], float]) -> SlotEngine:
        """A new engine for ``version``; reads or derives its weights when they are not in memory."""
        s = self._settings
        with self._building:
            return SlotEngine(self._version(version), s.slots, s.prefill_chunk, s.prefill_budget, clock)

    def forget(self, version: str) -> None:
        """Drops the weights of ``version``; whoever still uses them keeps them alive."""
        self._versions.pop(version, None)

    def _version(self, version: str) -> Llama:
        if version not in self._versions:
            match version:
                case "v1":
                    self._versions[version] = smollm2.load_dense(self._file, self._device, self._settings.context)
                case "v2":
                    self._versions[version] = smollm2.to_int8(self._version("v1"))
                case "v3":
                    self._versions[version] = smollm2.to_tensor_scale(self._version("v2"))
                case _:
                    known = ", ".join(smollm2.VERSIONS)
                    raise UnknownModelError(f"{smollm2.NAME} has no version {version!r}; it has {known}.", "model")
        return self._versions[version]
