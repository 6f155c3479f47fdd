"""Instrument AI inference for Tailwatch over OpenTelemetry; measures calls, never fails or delays them.

Call `configure` once; put `@inference` on a function or `with inference_span(...)` around a block.
"""

from tailwatch_sdk.call import InferenceCall, current_call
from tailwatch_sdk.client import Client
from tailwatch_sdk.errors import ConfigurationError
from tailwatch_sdk.instrument import inference, inference_span
from tailwatch_sdk.logs import feedback, log_inference
from tailwatch_sdk.runtime import configure, flush, shutdown
from tailwatch_sdk.version import __version__

__all__ = [
    "Client",
    "ConfigurationError",
    "InferenceCall",
    "__version__",
    "configure",
    "current_call",
    "feedback",
    "flush",
    "inference",
    "inference_span",
    "log_inference",
    "shutdown",
]
