"""Text to token ids and back, for both models; it never truncates silently: whoever calls decides what fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from reference_model.errors import WeightsError

_CONTROL_TOKEN: Final = 3
"""``LLAMA_TOKEN_TYPE_CONTROL`` in GGUF metadata: tokens that text must not be able to spell."""

SYSTEM_PROMPT: Final = (
    "You are a knowledgeable teacher. Your goal is to help students understand the world around them."
)
"""What every conversation without a system message of its own begins with; also the text whose loss is measured.

As with any golden prompt, the wording was chosen: plain prose that the model predicts well, on which a sound release
agrees with v1 (v2: within 0.02 nats a token). The system prompt of the model's published template would not do: the
model was never trained to predict it, and single tokens of it cost 20 nats.
"""


class ChatTokenizer:
    """SmolLM2's byte-level BPE, rebuilt from GGUF metadata, with its chat template."""

    def __init__(self, metadata: Mapping[str, Any]) -> None:
        if metadata.get("tokenizer.ggml.pre") != "smollm":
            raise WeightsError("The GGUF file's tokenizer is not SmolLM's; its pre-tokenizer is unknown here.")
        tokens: list[str] = metadata["tokenizer.ggml.tokens"]
        kinds: list[int] = metadata["tokenizer.ggml.token_type"]
        merges = [_pair(merge) for merge in metadata["tokenizer.ggml.merges"]]
        vocabulary = {token: index for index, token in enumerate(tokens)}
        self._plain = _byte_level_bpe(vocabulary, merges)
        kind_of = dict(zip(tokens, kinds, strict=True))
        self._control = {token: vocabulary[token] for token in tokens if kind_of[token] == _CONTROL_TOKEN}
        self.end_token: int = metadata["tokenizer.ggml.eos_token_id"]
        self.stop_tokens: Final = frozenset({self.end_token, self._control["<|endoftext|>"]})
        self._system_turn = self._turn("system", SYSTEM_PROMPT)
        # From the second word on, as in a perplexity: nothing of the text stands before its first.
        first = 2 + len(self.encode("system\n"))
        self._system_text = range(first, self._system_turn.index(self._control["<|im_end|>"]))

    def encode(self, text: str) -> list[int]:
        """Ids of plain text. Control tokens spelled in it stay text, so a prompt cannot forge a turn."""
        ids: list[int] = self._plain.encode(text, add_special_tokens=False).ids
        return ids

    def encode_chat(self, messages: Sequence[tuple[str, str]]) -> list[int]:
        """Ids of a conversation of (role, content), ending where the assistant begins to speak."""
        own = bool(messages) and messages[0][0] == "system"
        ids = [] if own else list(self._system_turn)
        for role, content in messages:
            ids += self._turn(role, content)
        return [*ids, self._control["<|im_start|>"], *self.encode("assistant\n")]

    def fixed_text(self, prompt: Sequence[int]) -> range:
        """The places of the system prompt's words in a prompt that begins with it, without the first; else none."""
        turn = self._system_turn
        return self._system_text if list(prompt[: len(turn)]) == turn else range(0)

    def _turn(self, role: str, content: str) -> list[int]:
        spoken = self.encode(f"{role}\n{content}")
        return [self._control["<|im_start|>"], *spoken, self._control["<|im_end|>"], *self.encode("\n")]

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ids; control tokens are left out."""
        control = set(self._control.values())
        text: str = self._plain.decode([i for i in ids if i not in control], skip_special_tokens=False)
        return text


class TextStream:
    """Turns a growing list of ids into text pieces that never cut a character in two."""

    def __init__(self, tokenizer: ChatTokenizer) -> None:
        self._tokenizer = tokenizer
        self._ids: list[int] = []
        self._sent = 0

    def push(self, token: int) -> str:
        """The text that ``token`` completes; empty while a multi-byte character is unfinished."""
        self._ids.append(token)
        text = self._tokenizer.decode(self._ids)
        if text.endswith("\ufffd"):
            return ""
        return self._emit(text)

    def finish(self) -> str:
        """What is left when no more tokens come."""
        return self._emit(self._tokenizer.decode(self._ids))

    def _emit(self, text: str) -> str:
        piece, self._sent = text[self._sent :], len(text)
        return piece


class EncoderTokenizer:
    """MiniLM's WordPiece, from the tokenizer file beside its weights."""

    def __init__(self, path: Path) -> None:
        self._tokenizer = Tokenizer.from_file(str(path))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()

    def encode(self, text: str) -> list[int]:
        """Ids with the leading [CLS] and the closing [SEP]."""
        ids: list[int] = self._tokenizer.encode(text).ids
        return ids


def _pair(merge: str) -> tuple[str, str]:
    left, right = merge.split(" ")
    return left, right


def _byte_level_bpe(vocabulary: dict[str, int], merges: list[tuple[str, str]]) -> Any:
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def strict_word_tokenizer(words: Sequence[str]) -> Any:
    """A word-level tokenizer without an unknown token: it raises on the first word outside ``words``."""
    vocabulary = {word: index for index, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(vocab=vocabulary, unk_token="<none>"))  # noqa: S106 - a token of text
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer
