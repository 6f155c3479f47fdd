"""``tailwatch serve``: collector, evaluator, alerting and API in one process, until it is told to end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from pathlib import Path

import click
import uvicorn
import uvloop

from collector.connections import server_of
from storage import tokens
from storage.sole import sole_server
from tailwatch.access.binding import certificate_of, check_binding, in_clear
from tailwatch.allocator import keep_freed_memory
from tailwatch.api.app import create_app
from tailwatch.service import Service
from tailwatch.settings import Address, Settings, config_file, load_settings, unknown_variables
from tailwatch.store import open_store
from telemetry.clock import SystemClock
from telemetry.errors import ConfigError

_BACKLOG = 2048
_DRAIN_S = 10

_QUIETER = {
    "httpx": logging.WARNING,
    "uvicorn": logging.WARNING,
    "alembic": logging.WARNING,
    # at a run a second, a run that is skipped because the one before it still goes on is no news
    "apscheduler": logging.ERROR,
}

_log = logging.getLogger("tailwatch")


@click.command()
@click.option(
    "--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info", show_default=True
)
@click.pass_obj
def command(config: Path | None, log_level: str) -> None:
    """Take telemetry in, evaluate SLOs, open incidents and notify, until SIGTERM or Ctrl-C."""
    logging.basicConfig(level=log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for name, level in _QUIETER.items():
        logging.getLogger(name).setLevel(level)
    keep_freed_memory()
    settings = load_settings(config)
    for sentence in unknown_variables(os.environ):
        _log.warning("%s", sentence)
    certificate = certificate_of(settings)
    listener = _listen(settings.http_address)
    with listener, sole_server(settings.url), open_store(settings, SystemClock()) as store:
        has_tokens = bool(tokens.load(store.database))
        check_binding(settings, has_tokens=has_tokens)
        for sentence in in_clear(settings, has_tokens=has_tokens):
            _log.warning("%s", sentence)
        service = Service(settings, store, SystemClock(), config_file(config), certificate)
        signal.signal(signal.SIGHUP, lambda *_: service.reloader.request())
        service.start()
        server = _server(service)
        _end_on_signals(server)
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(_serve(settings, service, server, listener))
        finally:
            service.stop()
    _log.info("ended; everything accepted is stored")


def _server(service: Service) -> uvicorn.Server:
    context = None if service.certificate is None else service.certificate.context
    return server_of(create_app(service), tls=context, timeout_graceful_shutdown=_DRAIN_S)


async def _serve(settings: Settings, service: Service, server: uvicorn.Server, listener: socket.socket) -> None:
    host, port = listener.getsockname()[:2]
    grpc = None
    if settings.grpc_address is not None:
        from collector.grpc_server import GrpcServer  # noqa: PLC0415 - grpc takes 0.2 s to import

        pem = None if service.certificate is None else service.certificate.pem
        grpc = GrpcServer(service.intake, settings.grpc, service.guard.rpc, pem)
        grpc_port = await grpc.start()
        _log.info("OTLP/gRPC on %s:%d", settings.grpc_address.host, grpc_port)
    shown = f"[{host}]" if ":" in host else host
    scheme = "http" if service.certificate is None else "https"
    _log.info("OTLP/HTTP, API and metrics on %s://%s:%d, data in %s", scheme, shown, port, service.database.name)
    try:
        await server.serve(sockets=[listener])
    finally:
        if grpc is not None:
            await grpc.stop()


def _end_on_signals(server: uvicorn.Server) -> None:
    """End on SIGTERM and Ctrl-C, also on those from before uvicorn listens to signals, without dying of them.

    uvicorn raises them anew when it is done, and they must not keep the service from ending in order.
    """

    def end(*_: object) -> None:
        server.should_exit = True

    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, end)


def _listen(address: Address) -> socket.socket:
    """A bound socket: taken before anything else starts, so that a port in use is said at once.

    Raises:
        ConfigError: the address cannot be bound.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address.host, address.port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"cannot listen there: {error.strerror}",
            where=str(address),
            remedy="end the other process, or set another address in http: or TAILWATCH_HTTP",
        ) from None
    return listener
