"""Senders that do what OTLP exporters do: the same bytes again after a lost connection or a retryable refusal."""

from __future__ import annotations

import gzip
import json
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import grpc
import httpx
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.trace import SpanContext

from tests.faults.accounting import Ledger, Sent
from tests.faults.server import SERVICE, TIMEOUT_S, Server
from tests.tailwatch.running import traces

AGAIN = frozenset({429, 502, 503, 504})
"""What OTLP lets an exporter repeat."""
DURATION_NS = 1_000
_PATIENCE_S = 0.2
"""Before a repetition; less than Retry-After asks for, so as to press harder than exporters do."""
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

Attempt = Callable[[], str]
"""Sends the same bytes each time: ``acknowledged``, or the name of the answer."""
Way = Callable[[Server, Sent], Attempt]
"""A protocol: serialises a payload once, and gives what sends it."""


def body(sent: Sent, bulk: int = 0) -> bytes:
    """The payload; ``bulk`` is the size of a text, which cannot be compressed, in each of its spans."""
    filler = {"filler": random.Random(sent.number).randbytes(bulk // 2).hex()} if bulk else {}
    return traces(
        sent.spans, end_ns=sent.time_ns, first_id=sent.first_id, bad=sent.bad, service=SERVICE,
        duration_ns=DURATION_NS, attributes={"tailwatch.tenant": sent.tenant, **filler},
    )  # fmt: skip


def json_body(sent: Sent) -> bytes:
    spans = []
    for place, number in enumerate(sent.ids):
        attributes = _attributes(sent, place)
        spans.append({
            "traceId": f"{number:032x}", "spanId": f"{number:016x}", "name": "chat m",
            "startTimeUnixNano": str(sent.time_ns - DURATION_NS), "endTimeUnixNano": str(sent.time_ns),
            "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()],
        })  # fmt: skip
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": SERVICE}}]}
    return json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]}).encode()


def protobuf(server: Server, sent: Sent) -> Attempt:
    content = body(sent)
    return lambda: post(server, content)


def compressed(server: Server, sent: Sent) -> Attempt:
    content = gzip.compress(body(sent))
    return lambda: post(server, content, {"Content-Encoding": "gzip"})


def in_json(server: Server, sent: Sent) -> Attempt:
    content = json_body(sent)
    return lambda: post(server, content, {"Content-Type": "application/json"})


def over_grpc(server: Server, sent: Sent) -> Attempt:
    content = body(sent)

    def attempt() -> str:
        with grpc.insecure_channel(server.grpc) as channel:
            try:
                channel.unary_unary(EXPORT)(content, timeout=TIMEOUT_S)
            except grpc.RpcError as error:
                return str(error.code().name)
        return "acknowledged"

    return attempt


def stock(server: Server, sent: Sent) -> Attempt:
    """The exporter of opentelemetry-python, whose own retries last ten seconds; what it gives up is given it again."""
    exporter = OTLPSpanExporter(f"{server.url}/v1/traces", timeout=10)
    resource = Resource({"service.name": SERVICE})
    spans = [
        ReadableSpan(
            "chat m",
            SpanContext(number, number, is_remote=False),
            resource=resource,
            attributes=_attributes(sent, place),
            start_time=sent.time_ns - DURATION_NS,
            end_time=sent.time_ns,
        )
        for place, number in enumerate(sent.ids)
    ]
    return lambda: "acknowledged" if exporter.export(spans) is SpanExportResult.SUCCESS else "given up"


WAYS: dict[str, Way] = {
    "protobuf": protobuf, "gzip": compressed, "json": in_json, "grpc": over_grpc, "stock": stock,
}  # fmt: skip


def post(server: Server, content: bytes, headers: dict[str, str] | None = None) -> str:
    """One request without a second try: ``acknowledged``, the status, or ``lost`` for a connection that broke."""
    named = {"Content-Type": "application/x-protobuf", **(headers or {})}
    try:
        answer = server.client.post("/v1/traces", content=content, headers=named)
    except httpx.TransportError:
        return "lost"
    return "acknowledged" if answer.status_code == 200 else str(answer.status_code)


def deliver(ledger: Ledger, sent: Sent, attempt: Attempt, stop: threading.Event | None = None) -> bool:
    """Send until it is acknowledged, which is noted; False when ``stop`` came first.

    Raises:
        AssertionError: an answer that forbids to send it again.
    """
    while True:
        answer = attempt()
        if answer == "acknowledged":
            ledger.acknowledge(sent)
            return True
        ledger.note(answer)
        permitted = answer in {"lost", "given up", "UNAVAILABLE", "DEADLINE_EXCEEDED"} or (
            answer.isdecimal() and int(answer) in AGAIN
        )
        assert permitted, f"payload {sent.number} was answered {answer}"
        if stop is not None and stop.wait(_PATIENCE_S):
            return False


@dataclass
class _Sender(threading.Thread):
    """Sends payload after payload until told to rest, and finishes the one that it is at."""

    fleet: Fleet
    tenant: str
    way: Way

    def __post_init__(self) -> None:
        super().__init__(name=self.tenant, daemon=True)

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        fleet = self.fleet
        try:
            while not fleet.resting.is_set():
                sent = fleet.ledger.next(self.tenant, fleet.spans, fleet.spans // 5)
                deliver(fleet.ledger, sent, self.way(fleet.server, sent), fleet.ended)
                fleet.resting.wait(fleet.pause_s)
        except Exception as error:  # noqa: BLE001  # whatever it is, the test must hear of it
            fleet.failures.append(f"{self.tenant}: {error!r}")


class Fleet:
    """One sender for each of ``ways``, as threads that send from the start of the block until its end.

    ``rest`` ends them in order. What they could not deliver by then counts as unanswered.
    """

    def __init__(
        self,
        server: Server,
        ledger: Ledger,
        ways: Sequence[str] = tuple(WAYS),
        *,
        spans: int = 20,
        pause_s: float = 0.02,
    ) -> None:
        self.server, self.ledger, self.ways = server, ledger, ways
        self.spans, self.pause_s = spans, pause_s
        self.resting, self.ended = threading.Event(), threading.Event()
        self.failures: list[str] = []
        self._senders = [_Sender(self, f"{way}-{place}", WAYS[way]) for place, way in enumerate(ways)]

    def __enter__(self) -> Self:
        for sender in self._senders:
            sender.start()
        return self

    def rest(self, timeout_s: float = 60) -> list[str]:
        """Let every sender deliver what it is at; what went wrong with them."""
        self.resting.set()
        for sender in self._senders:
            sender.join(timeout_s)
        late = [f"{sender.tenant} could not deliver in {timeout_s} s" for sender in self._senders if sender.is_alive()]
        return [*self.failures, *late]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.resting.set()
        self.ended.set()
        for sender in self._senders:
            sender.join(TIMEOUT_S + 20)


def _attributes(sent: Sent, place: int) -> dict[str, Any]:
    named = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "tailwatch.tenant": sent.tenant}
    return named | {"error.type": "timeout"} if place < sent.bad else named
