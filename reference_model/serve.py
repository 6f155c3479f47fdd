"""Runs the service as a process: telemetry, models, HTTP server, and a graceful end on SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import socket
import sys
from collections.abc import Iterator

import tailwatch_sdk as tailwatch
import uvicorn

from reference_model import gauges
from reference_model.api.app import build_app
from reference_model.errors import ReferenceModelError
from reference_model.faults.registry import FaultBoard
from reference_model.instrumentation import SERVICE_NAME
from reference_model.service import Service
from reference_model.settings import ServeSettings


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: this process drains the service before the server may close."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves the signals to ``serve``."""
        yield


async def serve(host: str, port: int, otlp: str | None, settings: ServeSettings) -> None:
    """Serves until SIGTERM or SIGINT; prints one line when the models are warm and requests are answered.

    Raises WeightsError when a model cannot be loaded, ReferenceModelError when the address cannot be used.
    """
    listener = _listen(host, port)
    telemetry = tailwatch.configure(service_name=SERVICE_NAME, environment="demo", endpoint=otlp)
    service = await Service.start(settings)
    gauges.observe(service, telemetry.meter_provider)
    faults = FaultBoard(service)
    server = _Server(
        uvicorn.Config(build_app(service, faults), log_level="warning", access_log=False, timeout_graceful_shutdown=5)
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_ in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_, stop.set)
    # What is loaded by now stays: the collector of garbage need not look at it again and again.
    gc.freeze()
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    address = f"http://{host}:{listener.getsockname()[1]}"
    sys.stdout.write(f"ready on {address} device={service.device.name}\n")
    sys.stdout.flush()
    await asyncio.wait({serving, asyncio.create_task(stop.wait())}, return_when=asyncio.FIRST_COMPLETED)
    await faults.stop_all()
    await service.drain()
    server.should_exit = True
    await serving
    await service.stop()
    await asyncio.to_thread(tailwatch.shutdown)


def _listen(host: str, port: int) -> socket.socket:
    """Binds before the models load, so that a taken port is reported at once."""
    try:
        return socket.create_server((host, port), backlog=256)
    except OSError as error:
        raise ReferenceModelError(f"Cannot listen on {host}:{port}: {error}. Choose another --port.") from error
