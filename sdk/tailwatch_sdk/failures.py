"""Names an exception in the few words that `error.type` wants: low in cardinality, free of messages."""

import asyncio

# Client libraries derive their timeouts from these, not from the builtin TimeoutError.
_TIMEOUT_CLASSES = frozenset({"TimeoutException", "Timeout", "APITimeoutError", "DeadlineExceeded"})


def error_type(error: BaseException) -> str:
    """The value of `error.type` for an exception.

    - `timeout` for TimeoutError and for the timeouts of httpx, requests, openai, anthropic and google clients;
    - `cancelled` for asyncio.CancelledError;
    - the HTTP status as text (`429`, `503`) when the exception carries one between 400 and 599, since Tailwatch keeps
      throttling apart from failure;
    - otherwise the qualified name of the class.

    Source: OpenTelemetry semantic conventions, registry attribute `error.type`.
    """
    if isinstance(error, asyncio.CancelledError):
        return "cancelled"
    if isinstance(error, TimeoutError) or any(base.__name__ in _TIMEOUT_CLASSES for base in type(error).__mro__):
        return "timeout"
    status = _http_status(error)
    return type(error).__qualname__ if status is None else str(status)


def _http_status(error: BaseException) -> int | None:
    """The HTTP status that an exception carries, as openai, httpx, requests, starlette and urllib spell it."""
    for holder, name in ((error, "status_code"), (getattr(error, "response", None), "status_code"), (error, "code")):
        status = getattr(holder, name, None)
        if type(status) is int and 400 <= status <= 599:
            return status
    return None
