"""The JSON that the API takes, in OpenAI's words; unknown fields are ignored, as OpenAI's clients send many."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, field_validator

Text = Annotated[str, Field(max_length=100_000)]
StopStrings = Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(max_length=4)]


class _Body(BaseModel):
    metadata: dict[str, str] | None = Field(default=None, description="tenant, input_type, session")
    user: str | None = None


class ChatMessage(BaseModel):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: Text


class StreamOptions(BaseModel):
    """What a stream carries besides text."""

    include_usage: bool = False


class _Generation(_Body):
    model: str = "smollm2-135m-instruct"
    max_tokens: int = Field(default=64, ge=1, le=512)
    temperature: float = Field(default=0.0, ge=0, le=2)
    top_p: float = Field(default=1.0, gt=0, le=1)
    seed: int = 0
    stop: StopStrings = Field(default_factory=list)
    stream: bool = False
    stream_options: StreamOptions = StreamOptions()

    @field_validator("stop", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        """OpenAI allows a string, a list, or null."""
        if value is None:
            return []
        return [value] if isinstance(value, str) else value


class ChatBody(_Generation):
    """POST /v1/chat/completions."""

    messages: list[ChatMessage] = Field(min_length=1, max_length=64)


class CompletionBody(_Generation):
    """POST /v1/completions."""

    prompt: Text = Field(min_length=1)


class ClassifyBody(_Body):
    """POST /v1/classify."""

    model: str = "minilm-topic-classifier"
    input: Text = Field(min_length=1)


class EmbeddingsBody(_Body):
    """POST /v1/embeddings."""

    model: str = "all-minilm-l6-v2"
    input: Text | Annotated[list[Text], Field(min_length=1, max_length=64)]
    encoding_format: Literal["float"] = "float"


class FaultBody(BaseModel):
    """POST /admin/faults."""

    name: str
    parameters: dict[str, float | int | str | bool] = Field(default_factory=dict)


class SplitBody(BaseModel):
    """POST /admin/split: shares of the traffic by version, and a version that answers copies."""

    model: str
    shares: dict[str, float] = Field(min_length=1)
    shadow: str | None = None


class RollbackBody(BaseModel):
    """POST /admin/rollback: to the split before, or with ``version`` to the last one that does not serve it."""

    model: str
    version: str | None = None
