"""Outages: nothing reaches the application but one line in its log, and what can be delivered is."""

import gc
import logging
import socket
import threading
import time

import pytest
import tailwatch_sdk as tailwatch
from tailwatch_sdk import runtime

from tests.sdk.receiver import Receiver, Server


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def calls(count: int) -> None:
    for _ in range(count):
        with tailwatch.inference_span("chat") as call:
            call.log(prediction="a")


def test_a_collector_that_is_down_costs_one_line_for_each_signal(notes) -> None:
    # A short exporter timeout makes the exporter give up at once instead of trying again for ten seconds.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.5")
        tailwatch.configure(
            endpoint=f"http://user:hunter2@127.0.0.1:{free_port()}", headers={"authorization": "Bearer s3cret"}
        )
    for _ in range(3):
        calls(10)
        assert not tailwatch.flush(20)
    said = notes()
    assert len([line for line in said if line.startswith("Spans cannot be delivered to http://127.0.0.1:")]) == 1
    assert len([line for line in said if line.startswith("Inference logs cannot be delivered")]) == 1
    assert len(said) == 2
    assert not any("hunter2" in line or "s3cret" in line for line in said)


def test_a_collector_that_answers_503_and_recovers_gets_everything_once(sdk: Receiver, notes) -> None:
    sdk.answers.extend([(503, {"Retry-After": "0"}), (429, {"Retry-After": "0"})])
    calls(5)
    assert tailwatch.flush(20)
    assert (len(sdk.spans), len(sdk.logs)) == (5, 5)
    assert len(sdk.paths) == 4
    assert notes() == []


def test_a_collector_that_comes_up_late_gets_what_is_still_queued(notes) -> None:
    port = free_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.5")
        tailwatch.configure(endpoint=f"http://127.0.0.1:{port}")
    calls(2)
    assert not tailwatch.flush(20)
    server = Server(port)
    try:
        calls(3)
        assert tailwatch.flush(20)
        assert len(server.receiver.spans) == 3
        assert "delivered to" in notes()[-1]
        assert any(line.startswith("Spans are delivered") and "2 were lost" in line for line in notes())
    finally:
        server.stop()


def test_a_refusal_is_told_with_its_status_and_the_next_batch_is_sent(sdk: Receiver, notes) -> None:
    sdk.answers.append((401, {}))
    with tailwatch.inference_span("chat"):
        pass
    assert not tailwatch.flush(20)
    with tailwatch.inference_span("chat"):
        pass
    assert tailwatch.flush(20)
    assert len(sdk.spans) == 1
    assert any("401" in line for line in notes())


def test_flush_and_shutdown_wait_no_longer_than_they_are_told(sdk: Receiver) -> None:
    sdk.hang = threading.Event()
    calls(1)
    client = tailwatch.configure(service_name="chat", endpoint=sdk.url)
    assert not tailwatch.flush(0)
    assert not tailwatch.shutdown(0)
    assert client._deliveries[0].failures == 0  # the request is still waiting for its answer
    sdk.hang.set()


def test_a_caller_is_not_held_up_by_a_hanging_collector(sdk: Receiver) -> None:
    sdk.hang = threading.Event()
    calls(600)  # more than one export batch, so that the processor's thread is inside a request
    assert sdk.paths == []
    sdk.hang.set()
    sdk.wait(spans=512)


def test_memory_is_bounded_while_the_collector_hangs(sdk: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    sdk.hang = threading.Event()
    with caplog.at_level(logging.CRITICAL):  # OpenTelemetry says that its queue is full
        for _ in range(5000):
            with tailwatch.inference_span("chat"):
                pass
    sdk.hang.set()
    tailwatch.flush(30)
    # The queue of 2,048 and the batches of 512 that were under way before it filled.
    assert 2048 <= len(sdk.spans) < 5000


def test_the_hosts_own_exporters_keep_their_voice(sdk: Receiver, notes) -> None:
    logger = logging.getLogger("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    logger.error("the host's own exporter failed")
    assert notes() == ["the host's own exporter failed"]


def test_nothing_is_sent_or_raised_after_shutdown(sdk: Receiver) -> None:
    with tailwatch.inference_span("chat") as open_call:
        assert tailwatch.shutdown()
        with tailwatch.inference_span("chat"):
            pass
    open_call.log(prediction="a")
    tailwatch.feedback(trace_id=open_call.trace_id, span_id=open_call.span_id, correct=True)
    assert tailwatch.flush()
    assert tailwatch.shutdown()
    assert (sdk.spans, sdk.logs) == ([], [])


def test_configure_after_shutdown_starts_anew_and_leaves_no_thread(collector: Receiver) -> None:
    before = set(threading.enumerate())

    def threads() -> set[str]:
        started = set(threading.enumerate()) - before
        return {thread.name for thread in started if "OtelBatch" in thread.name or "tailwatch" in thread.name}

    for _ in range(3):
        tailwatch.configure(endpoint=collector.url)
        calls(1)
        assert threads()
        assert tailwatch.shutdown()
    deadline = time.monotonic() + 20
    while threads() and time.monotonic() < deadline:
        gc.collect()
        threading.Event().wait(0.01)
    assert threads() == set()
    assert (len(collector.spans), len(collector.logs)) == (3, 3)


def test_batches_go_out_by_themselves_after_the_delay_of_the_environment(
    collector: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    monkeypatch.setenv("OTEL_BLRP_SCHEDULE_DELAY", "50")
    tailwatch.configure(endpoint=collector.url)
    calls(1)
    collector.wait(spans=1, logs=1)


def test_headers_and_compression_reach_the_collector(collector: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-team=ml,x-key=low")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    tailwatch.configure(endpoint=collector.url, headers={"X-Key": "high"})
    calls(1)
    assert tailwatch.flush()
    headers = {name.lower(): value for name, value in collector.headers[0].items()}
    assert (headers["x-team"], headers["x-key"], headers["content-encoding"]) == ("ml", "high", "gzip")
    assert len(collector.spans) == 1


def test_an_exporter_that_raises_does_not_end_the_thread_that_sends(sdk: Receiver, notes) -> None:
    class Broken:
        def export(self, batch: object) -> object:
            raise RuntimeError("wire cut")

        def shutdown(self) -> None:
            """Nothing to stop."""

    client = runtime._client
    assert client is not None
    delivery = client._deliveries[0]
    working, delivery._exporter = delivery._exporter, Broken()
    calls(1)
    assert not tailwatch.flush()
    delivery._exporter = working
    calls(1)
    assert tailwatch.flush()
    assert len(sdk.spans) == 1
    assert any("RuntimeError: wire cut" in line for line in notes())
