"""What the service can be told at start; values only, nothing is read from the environment here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

CLASSIFY, CHAT = "classify", "chat"
ALL_MODELS: Final = (CLASSIFY, CHAT)
"""``classify`` loads the encoder (topics and embeddings), ``chat`` the generator."""


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """Limits of the service. Times in seconds, lengths in tokens.

    The queue limits count waiting and running requests together. Defaults suit two CPU cores shared with a collector.
    """

    models: tuple[str, ...] = ALL_MODELS
    threads: int = 1
    slots: int = 8
    context: int = 1024
    prefill_chunk: int = 128
    prefill_budget: int = 256
    generation_limit: int = 32
    encoder_limit: int = 96
    encoder_batch: int = 16
    encoder_wait_s: float = 0.004
    tenant_share: float = 0.75
    cache_capacity: int = 2048
    cache_lifetime_s: float = 300.0
    drain_s: float = 15.0

    def tenant_limit(self, limit: int) -> int:
        """The most that one tenant may have of a queue of ``limit``."""
        return max(1, round(limit * self.tenant_share))
