"""errors-by-input-type: one kind of input reaches a tokenizer whose vocabulary was truncated in a bad deployment."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any, ClassVar

from reference_model.engine.seams import Incoming
from reference_model.faults.fault import Fault, require
from reference_model.models.tokenizers import strict_word_tokenizer
from reference_model.service import Service

_SURVIVING_WORDS = ("the", "a", "of", "to", "and", "is", "in", "what", "you", ".", "?", ",")


@dataclass
class ErrorsByInputType(Fault):
    """``share`` of the requests of ``input_type`` meet the broken tokenizer, which raises on an unknown word."""

    name: ClassVar[str] = "errors-by-input-type"
    summary: ClassVar[str] = "requests of input type code fail in the tokenizer; all others succeed"

    input_type: str = "code"
    share: float = 1.0
    seed: int = 7
    _tokenizer: Any = field(init=False, repr=False)
    _random: random.Random = field(init=False, repr=False)

    async def start(self, service: Service) -> None:
        """Puts the broken tokenizer before the working one."""
        require(0 < self.share <= 1, "share must be above 0 and at most 1.")
        self._tokenizer = strict_word_tokenizer(_SURVIVING_WORDS)
        self._random = random.Random(self.seed)  # noqa: S311 - not cryptography
        service.seams.preprocess.append(self._tokenise)

    async def stop(self, service: Service) -> None:
        """Takes it away."""
        service.seams.preprocess.remove(self._tokenise)

    async def _tokenise(self, incoming: Incoming) -> None:
        if incoming.input_type == self.input_type and self._random.random() < self.share:
            self._tokenizer.encode(incoming.text)
