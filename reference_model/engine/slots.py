"""Continuous batching over key-value slots: the pure step of the generator, without threads, queue limits or text.

Rows are kept dense so that every forward pass works on one slice of the cache: slots [0, d) decode, slots [d, n)
still read their prompt. A finished row is filled by moving the last decoding row there, and that row's place by the
last reading one. Long prompts are read in chunks between decode steps, so a newcomer delays the others by one chunk
at most (Agrawal et al. 2023, "Sarathi"; slots as in Yu et al. 2022, "Orca").
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import torch

from reference_model.engine.fixed_text import ScoredPlace, losses, scored_places
from reference_model.engine.sampling import choose
from reference_model.engine.sequence import FailedEvent, Sequence
from reference_model.models.llama import Llama


class SlotEngine:
    """Generates for up to ``slots`` sequences at once on one model version.

    ``chunk`` bounds the prompt tokens that one row reads in a step, ``prefill_budget`` those of all rows together,
    padding included. ``clock`` gives seconds. Only one thread may call it.
    """

    def __init__(self, model: Llama, slots: int, chunk: int, prefill_budget: int, clock: Callable[[], float]) -> None:
        self._model = model
        self._cache = model.new_cache(slots)
        self._chunk = chunk
        self._prefill_budget = prefill_budget
        self._clock = clock
        self._waiting: deque[Sequence] = deque()
        self._rows: list[Sequence] = []
        self._decoding = 0

    @property
    def waiting(self) -> int:
        """Sequences without a slot."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """Sequences in a slot."""
        return len(self._rows)

    @property
    def idle(self) -> bool:
        """Whether a step would do nothing."""
        return not self._rows and not self._waiting

    def submit(self, sequence: Sequence) -> None:
        """Queues a generation; prompt and answer must fit the context. Its listener is called from ``step``."""
        self._waiting.append(sequence)

    def step(self) -> None:
        """Admits who fits, reads one chunk of prompts, and writes one token for every sequence that is ready.

        When the model raises, every sequence in a slot is told and leaves; those that wait are kept.
        """
        try:
            with torch.inference_mode():
                self._drop_cancelled()
                self._admit()
                self._read_prompts()
                self._write_tokens()
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait for these rows must hear of it
            rows, self._rows, self._decoding = self._rows, [], 0
            for sequence in rows:
                sequence.listener(FailedEvent(error))

    def _admit(self) -> None:
        now = self._clock()
        while self._waiting and len(self._rows) < self._cache.slots:
            sequence = self._waiting.popleft()
            sequence.admitted_at = now
            self._rows.append(sequence)

    def _read_prompts(self) -> None:
        readers = self._rows[self._decoding :]
        if not readers:
            return
        count, width = self._prefill_group([sequence.prompt_left for sequence in readers])
        group = readers[:count]
        pieces = [s.request.prompt[s.stored : s.stored + width] for s in group]
        padded = [[*piece, *(0 for _ in range(width - len(piece)))] for piece in pieces]
        scored = [
            place
            for row, (s, piece) in enumerate(zip(group, pieces, strict=True))
            for place in scored_places(row, s.request.prompt, s.request.fixed_text, s.stored, len(piece))
        ]
        logits = self._forward(padded, group, self._decoding, [len(piece) - 1 for piece in pieces], scored)
        tokens, confidence = choose(logits[:count], [s.sampler for s in group])
        for place, loss in zip(scored, losses(logits[count:], scored), strict=True):
            group[place.row].fixed_text_losses.append(loss)
        for sequence, piece in zip(group, pieces, strict=True):
            sequence.stored += len(piece)
        now = self._clock()
        done = [(s, t, c) for s, t, c in zip(group, tokens, confidence, strict=True) if not s.prompt_left]
        for sequence, token, log_probability in done:
            sequence.accept(token, log_probability, now)
            self._promote(self._rows.index(sequence))
        self._release_finished(now)

    def _prefill_group(self, left: list[int]) -> tuple[int, int]:
        """How many readers share this chunk, and its width: as many of the first as stay within the budget."""
        count, width = 1, min(self._chunk, left[0])
        while count < len(left):
            wider = max(width, min(self._chunk, left[count]))
            if wider * (count + 1) > self._prefill_budget:
                break
            count, width = count + 1, wider
        return count, width

    def _write_tokens(self) -> None:
        writers = self._rows[: self._decoding]
        if not writers:
            return
        logits = self._forward([[s.last_token] for s in writers], writers, 0, [0] * len(writers))
        tokens, confidence = choose(logits, [s.sampler for s in writers])
        now = self._clock()
        for sequence, token, log_probability in zip(writers, tokens, confidence, strict=True):
            sequence.stored += 1
            sequence.rows_seen += len(writers)
            sequence.steps_seen += 1
            sequence.accept(token, log_probability, now)
        self._release_finished(now)

    def _forward(
        self,
        tokens: list[list[int]],
        rows: list[Sequence],
        first_slot: int,
        last: list[int],
        scored: list[ScoredPlace] | None = None,
    ) -> torch.Tensor:
        device = self._model.token_embedding.device
        further = [(place.row, place.column) for place in scored or ()]
        return self._model.forward(
            torch.tensor(tokens, device=device),
            torch.tensor([sequence.stored for sequence in rows], device=device),
            torch.tensor(last, device=device),
            self._cache,
            first_slot,
            torch.tensor(further, device=device) if further else None,
        )

    def _promote(self, row: int) -> None:
        """Brings a row whose prompt is read to the end of the decoding ones."""
        target = self._decoding
        if row != target:
            self._cache.swap(row, target, max(self._rows[row].stored, self._rows[target].stored))
            self._rows[row], self._rows[target] = self._rows[target], self._rows[row]
        self._decoding += 1

    def _drop_cancelled(self) -> None:
        now = self._clock()
        for sequence in [s for s in self._waiting if s.cancelled]:
            self._waiting.remove(sequence)
            sequence.finish(now)
        for sequence in self._rows:
            if sequence.cancelled:
                sequence.finish_reason = "cancelled"
        self._release_finished(now)

    def _release_finished(self, now: float) -> None:
        for row in reversed(range(len(self._rows))):
            sequence = self._rows[row]
            if sequence.finish_reason is not None:
                self._release(row)
                sequence.finish(now)

    def _release(self, row: int) -> None:
        if row < self._decoding:
            self._decoding -= 1
            self._move(self._decoding, row)
            row = self._decoding
        self._move(len(self._rows) - 1, row)
        self._rows.pop()

    def _move(self, source: int, target: int) -> None:
        if source != target:
            self._cache.move(source, target, self._rows[source].stored)
            self._rows[target] = self._rows[source]
