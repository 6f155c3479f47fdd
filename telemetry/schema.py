"""The canonical inference record: its fields, their units, and the attribute names that each is read from.

The names live here as data, because the GenAI conventions still move. Sources, in order of precedence:
OpenTelemetry GenAI semantic conventions (development), their predecessors, OpenInference, vLLM and SGLang,
and Tailwatch's own ``tailwatch.*``. A field is read from the first source that is present.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["string", "number"]

TEXT_LENGTH: Final = 512
"""Characters that are kept of a text."""


@dataclass(frozen=True, slots=True)
class Field:
    """One canonical field.

    Attributes:
        name: the name that matchers, groupings, tables and the API use.
        kind: ``string`` or ``number``.
        sources: record attributes, first present wins.
        resource: resource attributes, used when no record attribute is present.
        unit: ``s``, ``USD``, ``1`` or empty.
        stored: whether storage keeps a column of its own for it.
    """

    name: str
    kind: Kind
    sources: tuple[str, ...] = ()
    resource: tuple[str, ...] = ()
    unit: str = ""
    stored: bool = True


FIELDS: Final[tuple[Field, ...]] = (
    Field("service", "string", resource=("service.name",)),
    Field("instance", "string", resource=("service.instance.id",)),
    Field("environment", "string", resource=("deployment.environment.name", "deployment.environment")),
    Field("region", "string", ("cloud.region",), ("cloud.region",)),
    Field("operation", "string", ("gen_ai.operation.name", "openinference.span.kind")),
    Field("provider", "string", ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system")),
    Field("model", "string", (
        "gen_ai.response.model", "gen_ai.request.model", "llm.response.model_name", "llm.request.model_name",
        "llm.model_name", "embedding.model_name",
    )),
    Field("model_version", "string", ("tailwatch.model.version",), ("service.version",)),
    Field("tenant", "string", ("tailwatch.tenant",)),
    Field("user", "string", ("user.id", "enduser.id")),
    Field("session", "string", ("session.id", "gen_ai.conversation.id")),
    Field("input_type", "string", ("tailwatch.input.type",)),
    Field("error_type", "string", ("error.type",)),
    Field("finish_reason", "string", ("gen_ai.response.finish_reasons",)),
    Field("streaming", "string", ("gen_ai.request.stream", "llm.is_streaming")),
    Field("cache_hit", "string", ("tailwatch.cache.hit",)),
    Field("warmup", "string", ("tailwatch.warmup",)),
    Field("prediction", "string", ("tailwatch.prediction",)),
    Field("prompt_hash", "string", ("tailwatch.prompt.hash",)),
    Field("tokens_in", "number", (
        "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt",
    ), unit="1"),
    Field("tokens_out", "number", (
        "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion",
    ), unit="1"),
    Field("tokens_cached", "number", (
        "gen_ai.usage.cache_read.input_tokens", "llm.token_count.prompt_details.cache_read",
    ), unit="1"),
    Field("tokens_cache_write", "number", (
        "gen_ai.usage.cache_write.input_tokens", "gen_ai.usage.cache_creation.input_tokens",
        "llm.token_count.prompt_details.cache_write",
    ), unit="1"),
    Field("tokens_reasoning", "number", (
        "gen_ai.usage.reasoning.output_tokens", "llm.token_count.completion_details.reasoning",
    ), unit="1"),
    Field("ttft", "number", (
        "gen_ai.response.time_to_first_chunk", "gen_ai.server.time_to_first_token",
        "gen_ai.latency.time_to_first_token",
    ), unit="s"),
    Field("queue", "number", ("tailwatch.queue.duration", "gen_ai.latency.time_in_queue"), unit="s"),
    Field("prefill", "number", ("tailwatch.prefill.duration", "gen_ai.latency.time_in_model_prefill"), unit="s"),
    Field("decode", "number", ("tailwatch.decode.duration", "gen_ai.latency.time_in_model_decode"), unit="s"),
    Field("batch_size", "number", ("tailwatch.batch.size",), unit="1"),
    Field("confidence", "number", ("tailwatch.confidence",), unit="1"),
    Field("cost", "number", ("tailwatch.cost.usd", "llm.cost.total"), unit="USD"),
    Field("gpu_seconds", "number", ("tailwatch.gpu.duration",), unit="s"),
    # Derived when the record is normalised, never read from an attribute:
    Field("duration", "number", unit="s"),
    Field("tpot", "number", unit="s"),
    Field("cost_per_1k_tokens", "number", unit="USD", stored=False),
    Field("tokens_total", "number", unit="1", stored=False),
    Field("embedding_norm", "number", unit="1", stored=False),
    Field("doubt", "number", unit="1", stored=False),
)  # fmt: skip

FIELD_BY_NAME: Final = {field.name: field for field in FIELDS}
STRING_FIELDS: Final = tuple(field.name for field in FIELDS if field.kind == "string")
NUMBER_FIELDS: Final = tuple(field.name for field in FIELDS if field.kind == "number")

FEATURE_PREFIX: Final = "feature."
"""Canonical names of model inputs, ``feature.<name>``; they are sent as ``tailwatch.feature.<name>``."""

FEATURE_ATTRIBUTE_PREFIX: Final = "tailwatch.feature."
EMBEDDING_ATTRIBUTE: Final = "tailwatch.embedding"

INFERENCE_EVENTS: Final = frozenset({"gen_ai.client.inference.operation.details", "tailwatch.inference"})
"""Event names of log records that are inference logs."""

FEEDBACK_EVENT: Final = "tailwatch.feedback"
"""Event name of log records that carry a label for an earlier request."""

FEEDBACK_ATTRIBUTES: Final = ("tailwatch.feedback.label", "tailwatch.feedback.correct", "tailwatch.feedback.score")
"""Attributes of a feedback record: the true answer, whether the prediction was right, a rating."""

LABEL_CORRECT: Final = "feedback.correct"
"""On requests with judgements: 1 where the prediction was right, 0 where wrong, NaN where the judgement leaves open."""

DOUBT_RIGHT: Final = "doubt.right"
DOUBT_WRONG: Final = "doubt.wrong"
"""On requests with judgements: ``doubt`` of the predictions that were right, and of those that were wrong."""

LOG_HOME: Final = frozenset({"prediction", "confidence", "doubt", "embedding_norm"})
"""Fields that inference logs feed (with every ``feature.*``); all others are fed by spans alone, so that a
request seen as span and as log counts once. A span that carries one of these feeds it too."""

HTTP_STATUS_SOURCES: Final = ("http.response.status_code", "http.status_code")
"""Attributes that tell a refused request (429, 503) from a failed one."""

PROMPT_SOURCES: Final = ("gen_ai.input.messages", "gen_ai.prompt", "gen_ai.prompt.0.content", "input.value")
"""Attributes that hold the prompt, for its fingerprint; they are no fields."""

PROVIDER_ALIASES: Final = {
    "vertex_ai": "gcp.vertex_ai",
    "gemini": "gcp.gemini",
    "az.ai.inference": "azure.ai.inference",
    "az.ai.openai": "azure.ai.openai",
    "xai": "x_ai",
}
"""Old values of ``gen_ai.system`` and the present ``gen_ai.provider.name`` of each."""

OPENINFERENCE_OPERATIONS: Final = {
    "LLM": "chat",
    "EMBEDDING": "embeddings",
    "RERANKER": "rerank",
    "RETRIEVER": "retrieval",
    "TOOL": "execute_tool",
    "AGENT": "invoke_agent",
    "CHAIN": "chain",
    "GUARDRAIL": "guardrail",
    "EVALUATOR": "evaluate",
}
"""OpenInference span kinds as GenAI operation names."""

SURROUNDING_OPERATIONS: Final = frozenset({
    "create_agent", "invoke_agent", "invoke_workflow", "execute_tool", "retrieval", "chain", "guardrail", "evaluate",
})  # fmt: skip
"""Operations around inference calls: counted as calls of their own they would count the request twice."""

THROTTLED_ERRORS: Final = frozenset({"429", "503", "rate_limit_exceeded", "throttled", "overloaded"})
"""Values of ``error_type`` that mean the service refused work rather than failed at it."""


def is_feature(name: str) -> bool:
    """Whether ``name`` is the canonical name of a model input."""
    return name.startswith(FEATURE_PREFIX)


def is_log_home(name: str) -> bool:
    """Whether inference logs feed the field ``name``, see ``LOG_HOME``."""
    return name in LOG_HOME or is_feature(name)
