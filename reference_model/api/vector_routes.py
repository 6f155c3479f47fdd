"""POST /v1/classify and /v1/embeddings."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from reference_model.api.schemas import ClassifyBody, EmbeddingsBody
from reference_model.caller import read_caller
from reference_model.operations import vectors
from reference_model.operations.shadow import shadow_classify
from reference_model.service import Service

router = APIRouter()
_SHOWN_TOPICS = 5


@router.post("/v1/classify")
async def classify(body: ClassifyBody, http: Request, response: Response) -> dict[str, Any]:
    """The topic of a text with its probability, and the likeliest alternatives."""
    service: Service = http.app.state.service
    caller = read_caller(http.headers, body.metadata, body.user)
    shadow_classify(service, body.model, body.input, caller)
    found = await vectors.classify(service, body.model, body.input, caller)
    response.headers.update(
        {
            "x-model-version": found.version,
            "x-trace-id": found.trace_id,
            "x-span-id": found.span_id,
            "x-cache": "hit" if found.cache_hit else "miss",
        }
    )
    ranked = sorted(found.probabilities.items(), key=lambda item: -item[1])[:_SHOWN_TOPICS]
    return {
        "object": "classification",
        "model": found.model,
        "label": found.topic,
        "score": found.probabilities[found.topic],
        "labels": [{"label": topic, "score": score} for topic, score in ranked],
        "usage": {"prompt_tokens": found.input_tokens, "total_tokens": found.input_tokens},
    }


@router.post("/v1/embeddings")
async def embeddings(body: EmbeddingsBody, http: Request, response: Response) -> dict[str, Any]:
    """OpenAI's embeddings."""
    service: Service = http.app.state.service
    texts = [body.input] if isinstance(body.input, str) else body.input
    found = await vectors.embed(service, body.model, texts, read_caller(http.headers, body.metadata, body.user))
    response.headers["x-model-version"] = found.version
    return {
        "object": "list",
        "model": found.model,
        "data": [
            {"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(found.vectors)
        ],
        "usage": {"prompt_tokens": found.input_tokens, "total_tokens": found.input_tokens},
    }
