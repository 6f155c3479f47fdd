"""How full the service is, told through the SDK's meters whenever they are read; it keeps no history.

The names are those that Tailwatch knows (``tailwatch.queue.depth`` and its like), the task an attribute of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation

from reference_model.service import Service

_TASK = "task"
_GENERATION, _ENCODING = "generation", "encoding"


def observe(service: Service, provider: MeterProvider) -> None:
    """Have the queues, running requests and batches of ``service`` read from now on, also while nobody calls."""
    meter = provider.get_meter("reference_model")
    instruments: dict[str, tuple[str, Callable[[Service], Iterable[Observation]]]] = {
        "tailwatch.queue.depth": ("Requests that wait for a batch", _waiting),
        "tailwatch.requests.running": ("Requests that are computed", _running),
        "tailwatch.batch.size": ("Requests in the present batch, of encoders in the last one", _batches),
    }
    for name, (description, read) in instruments.items():

        def callback(
            _: CallbackOptions, read: Callable[[Service], Iterable[Observation]] = read
        ) -> Iterable[Observation]:
            return read(service)

        meter.create_observable_gauge(name, [callback], "{request}", description)


def _waiting(service: Service) -> Iterable[Observation]:
    if service.text is not None:
        yield Observation(service.text.generator.waiting, {_TASK: _GENERATION})
    if service.vectors is not None:
        yield Observation(service.vectors.batcher.waiting, {_TASK: _ENCODING})


def _running(service: Service) -> Iterable[Observation]:
    if service.text is not None:
        running = sum(running for _, running in service.text.generator.loaded.values())
        yield Observation(running, {_TASK: _GENERATION})
    if service.vectors is not None:
        yield Observation(service.vectors.batcher.running, {_TASK: _ENCODING})


def _batches(service: Service) -> Iterable[Observation]:
    if service.text is not None:
        for version, (_, running) in service.text.generator.loaded.items():
            yield Observation(running, {_TASK: _GENERATION, "model_version": version})
    if service.vectors is not None:
        yield Observation(service.vectors.batcher.last_batch, {_TASK: _ENCODING})
