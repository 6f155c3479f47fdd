"""The decoder against a naive implementation, with and without cache, alone and in company."""

from __future__ import annotations

import numpy as np
import torch

from reference_model.models.linear import Int8Linear
from reference_model.models.smollm2 import to_int8, to_tensor_scale
from tests.reference_model.tiny_llama import VOCABULARY, naive_logits, tiny_llama

TOKENS = [3, 41, 7, 7, 19, 0, 28, 33]


def _long(*values: int) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.long)


def test_logits_agree_with_the_naive_implementation() -> None:
    model = tiny_llama()
    np.testing.assert_allclose(
        model.all_logits(_long(*TOKENS)).numpy(), naive_logits(model, TOKENS), rtol=1e-4, atol=1e-4
    )


def test_one_token_at_a_time_over_the_cache_gives_the_same_logits() -> None:
    model = tiny_llama()
    cache = model.new_cache(3)
    stepwise = [
        model.forward(_long(token)[None], _long(position), _long(0), cache, 1)[0]
        for position, token in enumerate(TOKENS)
    ]
    torch.testing.assert_close(torch.stack(stepwise), model.all_logits(_long(*TOKENS)), rtol=1e-4, atol=1e-4)


def test_a_padded_batch_of_chunks_gives_the_same_logits() -> None:
    model = tiny_llama()
    cache = model.new_cache(2)
    short, long = [5, 9], TOKENS
    model.forward(torch.tensor([long[:4], [*short, 0, 0]]), _long(0, 0), _long(3, 1), cache, 0)
    last = model.forward(torch.tensor([long[4:], [11, 0, 0, 0]]), _long(4, 2), _long(3, 0), cache, 0)
    torch.testing.assert_close(last[0], model.all_logits(_long(*long))[-1], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(last[1], model.all_logits(_long(*short, 11))[-1], rtol=1e-4, atol=1e-4)


def test_logits_of_further_tokens_follow_those_of_the_last_ones() -> None:
    model = tiny_llama()
    batch = torch.tensor([TOKENS, [5, 9, 11, 0, 0, 0, 0, 0]])
    further = torch.tensor([[0, 2], [1, 0], [0, 6]])
    logits = model.forward(batch, _long(0, 0), _long(7, 2), model.new_cache(2), 0, further)
    long, short = model.all_logits(_long(*TOKENS)), model.all_logits(_long(5, 9, 11))
    expected = torch.stack([long[7], short[2], long[2], short[0], long[6]])
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)


def test_slots_can_be_moved_and_swapped() -> None:
    model = tiny_llama()
    cache = model.new_cache(3)
    for slot, token in enumerate((4, 8, 15)):
        model.forward(_long(token)[None], _long(0), _long(0), cache, slot)
    cache.swap(0, 2, 1)
    cache.move(2, 1, 1)
    expected = {0: 15, 1: 4, 2: 4}
    for slot, first in expected.items():
        got = model.forward(_long(23)[None], _long(1), _long(0), cache, slot)[0]
        torch.testing.assert_close(got, model.all_logits(_long(first, 23))[-1], rtol=1e-4, atol=1e-4)


def test_int8_with_a_scale_a_row_is_close_and_ignores_its_neighbours() -> None:
    model = to_int8(tiny_llama())
    exact = tiny_llama().all_logits(_long(*TOKENS))
    close = model.all_logits(_long(*TOKENS))
    assert torch.nn.functional.cosine_similarity(exact, close).min() > 0.99
    assert torch.equal(_next_logits(model, 5, beside=40)[0], _next_logits(model, 5, beside=17)[0])


def test_int8_with_a_scale_a_tensor_depends_on_who_shares_the_batch() -> None:
    int8 = to_int8(tiny_llama())
    model = to_tensor_scale(int8)
    assert not torch.equal(_next_logits(model, 5, beside=40)[0], _next_logits(model, 5, beside=17)[0])
    head, shared = model.head, int8.head
    assert isinstance(head, Int8Linear)
    assert isinstance(shared, Int8Linear)
    assert head.weight is shared.weight


def _next_logits(model: object, token: int, beside: int) -> torch.Tensor:
    assert beside < VOCABULARY
    cache = model.new_cache(2)  # type: ignore[attr-defined]
    return model.forward(_long(token, beside)[:, None], _long(0, 0), _long(0, 0), cache, 0)  # type: ignore[attr-defined,no-any-return]
