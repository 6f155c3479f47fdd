"""The places of the service at which a fault may act; without faults every list is empty and costs nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from reference_model.engine.sequence import GenerationRequest


@dataclass(frozen=True, slots=True)
class Incoming:
    """What is known of a request before its text becomes tokens."""

    operation: str
    model: str
    tenant: str
    input_type: str
    text: str


@dataclass(slots=True)
class Seams:
    """Lists of callables; whoever adds one removes it again. They run where the real thing would go wrong."""

    preprocess: list[Callable[[Incoming], Awaitable[None]]] = field(default_factory=list)
    """Awaited in the request's own task, before tokenisation; may wait or raise."""
    shape_generation: list[Callable[[GenerationRequest], GenerationRequest]] = field(default_factory=list)
    """Called before a generation is queued; may ask for something else."""
    before_batch: list[Callable[[int], None]] = field(default_factory=list)
    """Called in the encoder's thread before each batch, with its size; may block it."""
    before_step: list[Callable[[], None]] = field(default_factory=list)
    """Called in the generator's thread before each step; may block it."""
