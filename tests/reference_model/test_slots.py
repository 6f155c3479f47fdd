"""Continuous batching: whoever shares the slots, a sequence gets the tokens that it would get alone."""

from __future__ import annotations

from itertools import count

import pytest
import torch

from reference_model.engine.sampling import Sampling
from reference_model.engine.sequence import (
    FailedEvent,
    FinishedEvent,
    GenerationEvent,
    GenerationRequest,
    Sequence,
    TokenEvent,
)
from reference_model.engine.slots import SlotEngine
from reference_model.models.llama import Llama
from tests.reference_model.tiny_llama import tiny_llama


class Listener(list[GenerationEvent]):
    @property
    def tokens(self) -> list[int]:
        return [event.token for event in self if isinstance(event, TokenEvent)]

    @property
    def end(self) -> FinishedEvent:
        assert isinstance(self[-1], FinishedEvent)
        return self[-1]


def _engine(model: Llama, slots: int = 3, chunk: int = 4) -> SlotEngine:
    ticks = count()
    return SlotEngine(model, slots, chunk, 2 * chunk, lambda: float(next(ticks)))


def _submit(engine: SlotEngine, prompt: list[int], max_tokens: int = 6, **fields: object) -> tuple[Sequence, Listener]:
    listener = Listener()
    stop = fields.pop("stop_tokens", frozenset())
    request = GenerationRequest(tuple(prompt), max_tokens, stop, **fields)  # type: ignore[arg-type]
    sequence = Sequence(request, listener.append, 0.0)
    engine.submit(sequence)
    return sequence, listener


def _greedy(model: Llama, prompt: list[int], tokens: int) -> list[int]:
    ids = list(prompt)
    for _ in range(tokens):
        ids.append(int(model.all_logits(torch.tensor(ids))[-1].argmax()))
    return ids[len(prompt) :]


def _drain(engine: SlotEngine) -> None:
    for _ in range(200):
        if engine.idle:
            return
        engine.step()
    pytest.fail("the engine did not finish")


def test_sequences_of_all_lengths_and_arrival_times_get_their_own_tokens() -> None:
    model = tiny_llama()
    engine = _engine(model)
    prompts = [[1], [2, 3, 4, 5, 6, 7, 8, 9, 10, 11], [12, 13], [14, 15, 16, 17, 18], [19], [20, 21, 22, 23, 24, 25]]
    lengths = [5, 3, 9, 1, 7, 4]
    listeners = []
    for prompt, length in zip(prompts, lengths, strict=True):
        listeners.append(_submit(engine, prompt, length)[1])
        engine.step()
        engine.step()
    _drain(engine)
    for prompt, length, listener in zip(prompts, lengths, listeners, strict=True):
        assert listener.tokens == _greedy(model, prompt, length)
        assert listener.end.reason == "length"


def test_no_more_than_the_slots_run_and_the_rest_wait() -> None:
    engine = _engine(tiny_llama(), slots=2)
    for _ in range(5):
        _submit(engine, [1, 2])
    engine.step()
    assert (engine.running, engine.waiting) == (2, 3)
    _drain(engine)
    assert (engine.running, engine.waiting) == (0, 0)


def test_a_stop_token_ends_a_sequence_but_not_before_min_tokens() -> None:
    model = tiny_llama()
    expected = _greedy(model, [1, 2, 3], 6)
    stop = frozenset({expected[1]})
    engine = _engine(model)
    _, stopped = _submit(engine, [1, 2, 3], stop_tokens=stop)
    _, forced = _submit(engine, [1, 2, 3], stop_tokens=stop, min_tokens=6)
    _drain(engine)
    assert stopped.tokens == expected[: expected.index(expected[1]) + 1]
    assert stopped.end.reason == "stop"
    assert forced.tokens == expected


def test_a_cancelled_sequence_leaves_whether_it_waits_reads_or_writes() -> None:
    model = tiny_llama()
    engine = _engine(model, slots=2)
    writing, written = _submit(engine, [1, 2], 30)
    engine.step()
    reading, read = _submit(engine, list(range(1, 20)), 30)
    waiting, waited = _submit(engine, [3], 30)
    engine.step()
    for sequence in (writing, reading, waiting):
        sequence.cancelled = True
    _, other = _submit(engine, [5, 6], 4)
    _drain(engine)
    assert [listener.end.reason for listener in (written, read, waited)] == ["cancelled"] * 3
    assert other.tokens == _greedy(model, [5, 6], 4)


def test_timings_split_the_time_into_queue_prefill_and_decode() -> None:
    engine = _engine(tiny_llama(), slots=1)
    _, first = _submit(engine, [1, 2, 3, 4, 5, 6, 7, 8], 3)
    _, second = _submit(engine, [1], 2)
    _drain(engine)
    for timings in (first.end.timings, second.end.timings):
        assert timings.queue_s > 0
        assert timings.prefill_s > 0
        assert timings.decode_s > 0
        assert timings.batch_size == 1
    assert second.end.timings.queue_s > first.end.timings.queue_s


def test_the_loss_on_fixed_text_is_that_of_the_text_whatever_the_chunks_and_the_company() -> None:
    model = tiny_llama()
    fixed = [7, 3, 19, 4, 4, 31, 8, 25, 40]
    places = range(2, 9)
    prompts = [[*fixed, 11], [*fixed, *range(1, 14)], list(fixed), [*fixed, 2, 2]]
    log_probabilities = model.all_logits(torch.tensor(fixed)).log_softmax(-1)
    expected = -sum(float(log_probabilities[place - 1, fixed[place]]) for place in places) / len(places)
    for chunk in (2, 5, 32):
        engine = _engine(model, slots=3, chunk=chunk)
        found = []
        for prompt in prompts:
            found.append(_submit(engine, prompt, 4, fixed_text=places)[1])
            engine.step()
        _, without = _submit(engine, [1, 2, 3, 4, 5], 4)
        _drain(engine)
        assert [listener.end.fixed_text_loss for listener in found] == pytest.approx([expected] * 4, rel=1e-4)
        assert without.end.fixed_text_loss is None
        assert [listener.tokens for listener in found] == [_greedy(model, prompt, 4) for prompt in prompts]


def test_fixed_text_that_was_not_read_to_its_end_has_no_loss() -> None:
    engine = _engine(tiny_llama(), chunk=4)
    sequence, listener = _submit(engine, list(range(1, 20)), fixed_text=range(1, 10))
    engine.step()
    assert sequence.fixed_text_losses
    sequence.cancelled = True
    _drain(engine)
    assert listener.end.fixed_text_loss is None


def test_a_failing_model_is_reported_to_those_in_slots_and_serves_the_next() -> None:
    class Flaky(Llama):
        broken = True

        def forward(self, *args: object) -> torch.Tensor:
            if self.broken:
                raise RuntimeError("device lost")
            return super().forward(*args)  # type: ignore[arg-type]

    healthy = tiny_llama()
    model = Flaky(healthy.shape, healthy.token_embedding, healthy.layers, healthy.out_norm, healthy.head)
    engine = _engine(model, slots=1)
    _, failed = _submit(engine, [1, 2])
    _, next_one = _submit(engine, [1, 2], 3)
    engine.step()
    assert isinstance(failed[-1], FailedEvent)
    model.broken = False
    _drain(engine)
    assert next_one.tokens == _greedy(healthy, [1, 2], 3)


def test_sampling_repeats_with_its_seed_whoever_shares_the_batch() -> None:
    def sample(seed: int, company: int) -> list[int]:
        engine = _engine(tiny_llama(), slots=4)
        _, listener = _submit(engine, [1, 2], 12, sampling=Sampling(1.5, 0.95, seed))
        for other in range(company):
            _submit(engine, [other + 3], 12)
        _drain(engine)
        return listener.tokens

    assert sample(1, 0) == sample(1, 2)
    assert len({tuple(sample(seed, 0)) for seed in range(4)}) > 1


def test_top_p_keeps_only_the_likeliest() -> None:
    model = tiny_llama()
    engine = _engine(model)
    _, listener = _submit(engine, [1, 2], 6, sampling=Sampling(1.0, 1e-6, 3))
    _drain(engine)
    assert listener.tokens == _greedy(model, [1, 2], 6)
