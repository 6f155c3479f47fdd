"""Errors as JSON: ``{"error": {"what", "where", "remedy"}}`` with the status that fits; tracebacks stay in the log."""

from __future__ import annotations

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from telemetry.errors import ConflictError, NotFoundError, PayloadError, StorageError, TailwatchError

_log = logging.getLogger(__name__)


def install_error_handlers(app: FastAPI) -> None:
    """Make every error of ``app`` one shape."""
    app.add_exception_handler(TailwatchError, _deliberate)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


def _answer(status: int, what: str, where: str, remedy: str) -> JSONResponse:
    return JSONResponse({"error": {"what": what, "where": where, "remedy": remedy}}, status_code=status)


async def _deliberate(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, TailwatchError)
    match error:
        case PayloadError(status=status):
            pass
        case NotFoundError():
            status = 404
        case ConflictError():
            status = 409
        case StorageError():
            status = 503
        case _:
            status = 400
    return _answer(status, error.what, error.where or request.url.path, error.remedy)


async def _invalid(request: Request, error: Exception) -> JSONResponse:  # noqa: ARG001 - the library's signature
    assert isinstance(error, RequestValidationError)
    faults = error.errors()
    first = faults[0] if faults else {"loc": ("request",), "msg": "not valid"}
    where = ".".join(str(part) for part in first["loc"])
    return _answer(422, str(first["msg"]), where, "see /docs for what this address takes")


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return _answer(error.status_code, str(error.detail), request.url.path, "see /docs for the addresses there are")


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    _log.error("request failed: %s %s", request.method, request.url.path, exc_info=error)
    return _answer(500, "the request failed inside Tailwatch", request.url.path, "read the log, and report it")
