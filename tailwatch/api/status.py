"""What the service says about itself to people: its state, its collector, its senders; it answers without a database.

While the database is away the rest is wanted most, so what had to be read from it is null and ``database_problem``
says why.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, fields, is_dataclass
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends

import tailwatch
from alerting.outbox import ReceiverHealth
from collector.counters import Counters
from collector.decode import PROTOBUF
from collector.decode.rejections import REASONS
from collector.skew import SourceClock
from storage.stats import database_size
from tailwatch.api.config import document as config_document
from tailwatch.api.context import Context, context
from tailwatch.api.needs import needs
from tailwatch.overflow import overflow_documents
from telemetry.errors import StorageError
from telemetry.windows import NANOS

router = APIRouter(prefix="/api/v1", tags=["service"])

T = TypeVar("T")

_DECODER_TEXTS = {
    "not warmed": "the protobuf library reads OTLP",
    "compiling": "the protobuf library reads OTLP until compiled code is ready",
    "ready": "compiled code reads OTLP protobuf",
}


@router.get("/status", dependencies=needs("read"))
def status(ctx: Annotated[Context, Depends(context)]) -> dict[str, Any]:
    """Version, database, evaluation, receivers, warnings, and how the collector fares since its start."""
    service = ctx.service
    last = service.evaluator.last
    size, problem = _read(lambda: database_size(ctx.database))
    receivers, _ = _read(service.alerting.health)
    return {
        "version": tailwatch.__version__,
        "started_at": service.started_ns / NANOS,
        "now": ctx.clock.now_ns() / NANOS,
        "database": ctx.database.name,
        "database_bytes": size,
        "database_problem": problem,
        "receivers": None if receivers is None else [_receiver(one) for one in receivers],
        "config_problems": [str(problem) for problem in service.warnings()],
        "config": config_document(service.reloader.state),
        "last_evaluation": None if last is None else {"at": last.at_ns / NANOS, "duration_s": last.duration_s},
        **_collector(ctx),
    }


@router.get("/sources", dependencies=needs("read"))
def sources(ctx: Annotated[Context, Depends(context)]) -> dict[str, Any]:
    """Who sent telemetry to this collector within the last hour, and how far their clocks are from ours.

    ``ahead_s`` is certain: the clock is ahead by at least that. ``lag_min_s`` bounds the other side: the clock is
    behind, or the data late, by at most that.
    """
    found = ctx.service.sources()
    return {"sources": [_source(one) for one in found], "now": ctx.clock.now_ns() / NANOS}


def _collector(ctx: Context) -> dict[str, Any]:
    service = ctx.service
    counters = service.intake.counters()
    concerns = Counter(one.concern for one in service.sources())
    return {
        "counters": _counters(counters),
        "rates": service.rates.document(),
        "labels": dict(service.estimates.labels),
        "decoder": _decoder(),
        "queue": {"held_bytes": counters.held_bytes, "capacity_bytes": service.queue_bytes},
        "rejected": [
            {"reason": reason, "text": REASONS.get(reason, reason), "records": records}
            for reason, records in counters.rejected.most_common()
        ],
        "overflow": overflow_documents(service.overflowed(), service.settings.max_groups),
        "sources": {"total": concerns.total(), "ahead": concerns["ahead"], "late": concerns["behind_or_late"]},
        "collectors": service.membership.collectors(),
    }


def _decoder() -> dict[str, str]:
    """The state of the decoder of protobuf bodies, a word, and what it means."""
    state, _, why = PROTOBUF.state.partition(": ")
    return {"state": state, "text": why or _DECODER_TEXTS.get(state, "")}


def _read(call: Callable[[], T]) -> tuple[T | None, str | None]:
    """What ``call`` reads from the database, or why it cannot."""
    try:
        return call(), None
    except StorageError as error:
        return None, str(error)


def _receiver(one: ReceiverHealth) -> dict[str, Any]:
    return {
        "receiver": one.receiver,
        "pending": one.pending,
        "undelivered": one.undelivered,
        "failing_since": None if one.waiting_since_ns is None else one.waiting_since_ns / NANOS,
        "last_error": one.last_error,
    }


def _source(one: SourceClock) -> dict[str, Any]:
    return {
        "service": one.service,
        "instance": one.instance,
        "last_seen": one.last_seen_ns / NANOS,
        "batches": one.batches,
        "lag_min_s": one.lag_min_s,
        "lag_median_s": one.lag_median_s,
        "ahead_s": one.ahead_s,
        "concern": one.concern or None,
    }


def _counters(counters: Counters) -> dict[str, Any]:
    """By name; tables by text, since JSON has no other keys (and ``asdict`` would count the pairs of a Counter)."""
    return {one.name: _plain(getattr(counters, one.name)) for one in fields(counters)}


def _plain(value: Any) -> Any:
    if isinstance(value, Counter):
        return {str(key): count for key, count in value.items()}
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
