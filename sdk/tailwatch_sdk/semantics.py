"""The attribute and event names that the SDK writes; names only, no behaviour.

Names beginning with `gen_ai.` are OpenTelemetry's semantic conventions for generative AI; `error.type`, `user.id`,
`session.id`, `service.*` and `deployment.*` are its general conventions; `tailwatch.` is ours.
"""

from typing import Final

OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
RESPONSE_MODEL: Final = "gen_ai.response.model"
STREAM: Final = "gen_ai.request.stream"
FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
CACHED_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
CACHE_WRITE_TOKENS: Final = "gen_ai.usage.cache_write.input_tokens"
REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"

ERROR_TYPE: Final = "error.type"
USER: Final = "user.id"
SESSION: Final = "session.id"

MODEL_VERSION: Final = "tailwatch.model.version"
TENANT: Final = "tailwatch.tenant"
INPUT_TYPE: Final = "tailwatch.input.type"
QUEUE_DURATION: Final = "tailwatch.queue.duration"
PREFILL_DURATION: Final = "tailwatch.prefill.duration"
DECODE_DURATION: Final = "tailwatch.decode.duration"
BATCH_SIZE: Final = "tailwatch.batch.size"
CACHE_HIT: Final = "tailwatch.cache.hit"
COST_USD: Final = "tailwatch.cost.usd"
GPU_DURATION: Final = "tailwatch.gpu.duration"
PROMPT_HASH: Final = "tailwatch.prompt.hash"
WARMUP: Final = "tailwatch.warmup"

INFERENCE_EVENT: Final = "tailwatch.inference"
FEATURE_PREFIX: Final = "tailwatch.feature."
PREDICTION: Final = "tailwatch.prediction"
CONFIDENCE: Final = "tailwatch.confidence"
EMBEDDING: Final = "tailwatch.embedding"

FEEDBACK_EVENT: Final = "tailwatch.feedback"
FEEDBACK_LABEL: Final = "tailwatch.feedback.label"
FEEDBACK_CORRECT: Final = "tailwatch.feedback.correct"
FEEDBACK_SCORE: Final = "tailwatch.feedback.score"

SERVICE_NAME: Final = "service.name"
SERVICE_VERSION: Final = "service.version"
ENVIRONMENT: Final = "deployment.environment.name"
DISTRO_NAME: Final = "telemetry.distro.name"
DISTRO_VERSION: Final = "telemetry.distro.version"

IDENTITY: Final = (OPERATION, PROVIDER, REQUEST_MODEL, RESPONSE_MODEL, MODEL_VERSION, TENANT, INPUT_TYPE, USER, SESSION)
"""What an inference log repeats from its span, so that a log says whose it is even when the span was lost."""
