"""One generation under way: what was asked, what came out, and where its time went. It computes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from reference_model.engine.sampling import Sampler, Sampling

FinishReason = Literal["stop", "length", "cancelled"]


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """Token ids in, at most ``max_tokens`` out; stop tokens are ignored before ``min_tokens``.

    ``fixed_text``: places in the prompt, from 1 on, of text that is the same in every request; its loss is measured.
    """

    prompt: tuple[int, ...]
    max_tokens: int
    stop_tokens: frozenset[int]
    sampling: Sampling = field(default_factory=Sampling)
    min_tokens: int = 0
    fixed_text: range = range(0)


@dataclass(frozen=True, slots=True)
class TokenEvent:
    """A token, and the logarithm of the probability that the model gave it."""

    token: int
    log_probability: float


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds spent waiting for a slot, reading the prompt and writing the answer; mean rows in its decode steps."""

    queue_s: float
    prefill_s: float
    decode_s: float
    batch_size: int


@dataclass(frozen=True, slots=True)
class FinishedEvent:
    """The last event of a generation that ran.

    ``fixed_text_loss``: mean negative log-likelihood, nats a token, of the prompt's fixed text; None without any, and
    where the generation ended before all of it was read.
    """

    reason: FinishReason
    timings: Timings
    fixed_text_loss: float | None = None


@dataclass(frozen=True, slots=True)
class FailedEvent:
    """The last event of a generation during which the model raised."""

    error: Exception


GenerationEvent = TokenEvent | FinishedEvent | FailedEvent
Listener = Callable[[GenerationEvent], None]


@dataclass(slots=True, eq=False)
class Sequence:
    """State of one generation; times are readings of the engine's clock, in seconds."""

    request: GenerationRequest
    listener: Listener
    submitted_at: float
    sampler: Sampler = field(init=False)
    stored: int = 0
    """Tokens whose keys and values are in the slot."""
    produced: int = 0
    last_token: int = -1
    admitted_at: float | None = None
    first_token_at: float | None = None
    rows_seen: int = 0
    steps_seen: int = 0
    fixed_text_losses: list[float] = field(default_factory=list)
    cancelled: bool = False
    finish_reason: FinishReason | None = None

    def __post_init__(self) -> None:
        self.sampler = Sampler(self.request.sampling)

    @property
    def prompt_left(self) -> int:
        """Prompt tokens not yet in the slot."""
        return max(len(self.request.prompt) - self.stored, 0)

    def accept(self, token: int, log_probability: float, now: float) -> None:
        """Takes the next token, tells the listener, and sets ``finish_reason`` when it is the last one."""
        if self.first_token_at is None:
            self.first_token_at = now
        self.last_token = token
        self.produced += 1
        if token in self.request.stop_tokens and self.produced > self.request.min_tokens:
            self.finish_reason = "stop"
        elif self.produced >= self.request.max_tokens:
            self.finish_reason = "length"
        self.listener(TokenEvent(token, log_probability))

    def finish(self, now: float) -> None:
        """Tells the listener that this generation is over."""
        admitted = now if self.admitted_at is None else self.admitted_at
        first = now if self.first_token_at is None else self.first_token_at
        timings = Timings(
            queue_s=admitted - self.submitted_at,
            prefill_s=first - admitted,
            decode_s=now - first,
            batch_size=round(self.rows_seen / self.steps_seen) if self.steps_seen else 1,
        )
        found = self.fixed_text_losses
        complete = bool(found) and len(found) == len(self.request.fixed_text)
        loss = sum(found) / len(found) if complete else None
        self.listener(FinishedEvent(self.finish_reason or "cancelled", timings, loss))
