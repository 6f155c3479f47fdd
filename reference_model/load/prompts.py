"""Chooses who asks what: prompts of each input type from the packaged corpora, drawn by a seeded generator."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from reference_model import corpus
from reference_model.load.arrivals import TraceRow
from reference_model.load.traffic import Traffic

_REMEMBERED: Final = 200
_ENCODER_CHARACTERS: Final = 480
"""MiniLM reads 256 tokens, and dense code has a little over 2 characters a token."""
_CHARACTERS_PER_TOKEN: Final = 4
_TRACE_PROMPT_TOKENS, _TRACE_ANSWER_TOKENS = 512, 32
"""A replayed request is cut to these, since the trace's model was seven hundred times as large."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request to send. ``topic`` is the truth for a classification, None where there is none."""

    operation: str
    input_type: str
    tenant: str
    text: str
    max_tokens: int
    stream: bool
    fresh: bool
    topic: str | None = None


class PromptSource:
    """Draws requests; repeatable for the same seed and the same sequence of traffic."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - load is not cryptography
        self._recent: deque[Ask] = deque(maxlen=_REMEMBERED)
        self._by_topic: dict[str, list[str]] = {}
        for question in corpus.questions():
            self._by_topic.setdefault(question.topic, []).append(question.text)

    def draw(self, traffic: Traffic) -> Ask:
        """The next request of ``traffic``."""
        if self._recent and self._random.random() < traffic.repeat_share:
            return self._random.choice(self._recent)
        operation = self._pick(traffic.operations)
        input_type = self._pick(traffic.input_types)
        text, topic = self._text(traffic, operation, input_type)
        ask = Ask(
            operation,
            input_type,
            self._pick(traffic.tenants),
            text,
            traffic.max_tokens,
            self._random.random() < traffic.stream_share,
            traffic.fresh,
            topic,
        )
        self._recent.append(ask)
        return ask

    def replayed(self, row: TraceRow, traffic: Traffic) -> Ask:
        """A chat request of about the trace's lengths."""
        tokens = min(row.context_tokens, _TRACE_PROMPT_TOKENS)
        text = self._excerpt(tokens * _CHARACTERS_PER_TOKEN)
        answer = max(1, min(row.generated_tokens, _TRACE_ANSWER_TOKENS))
        input_type = "long" if tokens > _TRACE_PROMPT_TOKENS // 2 else "chat"
        stream = self._random.random() < traffic.stream_share
        return Ask("chat", input_type, self._pick(traffic.tenants), text, answer, stream, traffic.fresh)

    def _text(self, traffic: Traffic, operation: str, input_type: str) -> tuple[str, str | None]:
        if input_type == "code":
            prompt = self._random.choice(corpus.code_prompts()).strip()
            return (prompt if operation == "chat" else prompt[:_ENCODER_CHARACTERS]), None
        if input_type == "long":
            characters = self._random.randint(*traffic.long_characters)
            return self._excerpt(characters if operation == "chat" else min(characters, _ENCODER_CHARACTERS)), None
        topics = [topic for topic in traffic.topics if topic in self._by_topic] or list(self._by_topic)
        (topic,) = self._random.choices(topics, [len(self._by_topic[topic]) for topic in topics])
        count = self._random.randint(*traffic.sentences)
        return " ".join(self._random.choices(self._by_topic[topic], k=count)), topic

    def _excerpt(self, characters: int) -> str:
        text = corpus.long_text()
        start = self._random.randrange(max(1, len(text) - characters))
        return text[start : start + characters]

    def _pick(self, weights: Mapping[str, float]) -> str:
        (name,) = self._random.choices(list(weights), list(weights.values()))
        return name
