"""Turns exceptions into OpenAI-style error answers; a traceback goes to the log, never to the client."""

from __future__ import annotations

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from reference_model.errors import ReferenceModelError, RefusedError, RequestError

logger = logging.getLogger(__name__)


def error_body(error: Exception) -> dict[str, dict[str, str | None]]:
    """``{"error": {message, type, param, code}}``."""
    if isinstance(error, RefusedError):
        kind = "rate_limit_error" if error.status == 429 else "overloaded_error"
        return _body(str(error), kind, None, error.code)
    if isinstance(error, RequestError):
        return _body(str(error), "invalid_request_error", error.param, error.code)
    if isinstance(error, ReferenceModelError):
        return _body(str(error), "server_error", None, error.code)
    return _body("The service failed; its log says more.", "server_error", None, "internal_error")


def _body(message: str, kind: str, param: str | None, code: str) -> dict[str, dict[str, str | None]]:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def install(app: FastAPI) -> None:
    """Registers the handlers."""

    @app.exception_handler(ReferenceModelError)
    async def known(_: Request, error: ReferenceModelError) -> JSONResponse:
        headers = {"retry-after": str(error.retry_after_s)} if isinstance(error, RefusedError) else None
        return JSONResponse(error_body(error), error.status, headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        param = ".".join(str(part) for part in first["loc"][1:]) or "body"
        return JSONResponse(_body(f"{param}: {first['msg']}.", "invalid_request_error", param, "invalid_request"), 400)

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse(
            _body(str(error.detail), "invalid_request_error", None, "not_found"), error.status_code, error.headers
        )

    @app.exception_handler(Exception)
    async def unknown(_: Request, error: Exception) -> JSONResponse:
        logger.error("A request failed.", exc_info=error)
        return JSONResponse(error_body(error), 500)
