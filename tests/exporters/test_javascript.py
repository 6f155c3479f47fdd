"""The stock exporters of OpenTelemetry JS deliver everything, in every protocol, with and without compression."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.exporters.node import FOLDER, node
from tests.faults.server import SERVICE, SLO, Server

COUNT = 700
"""More than the 512 records of a batch."""
SPAN_WAYS = ("proto", "proto-gzip", "json", "json-gzip", "grpc", "grpc-gzip")
LOG_WAYS = ("proto", "proto-gzip")


@dataclass(frozen=True, slots=True)
class Delivered:
    """A server that the exporters have sent to, and the id of one trace a way."""

    server: Server
    traces: dict[str, str]


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Delivered]:
    program = node()
    server = Server(tmp_path_factory.mktemp("javascript"))
    server.start()
    try:
        ended = subprocess.run(
            [program, FOLDER / "send.mjs", server.url, server.grpc, SERVICE, str(COUNT)],
            cwd=FOLDER, check=False, capture_output=True, text=True, timeout=90,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
        assert ended.stderr == ""
        yield Delivered(server, json.loads(ended.stdout))
    finally:
        server.kill()
        server.client.close()


def test_every_span_is_counted_once(delivered: Delivered) -> None:
    groups = delivered.server.get(f"/api/v1/slis/{SLO}")["groups"]
    counted = {group["group"]["tenant"]: (group["good"], group["total"]) for group in groups}
    assert counted == dict.fromkeys(SPAN_WAYS, (COUNT - 1, COUNT))


@pytest.mark.parametrize("way", SPAN_WAYS)
def test_a_trace_can_be_read_with_its_attributes(delivered: Delivered, way: str) -> None:
    parent, child = sorted(
        delivered.server.get(f"/api/v1/traces/{delivered.traces[way]}")["spans"],
        key=lambda span: span["parent_span_id"],
    )
    assert (parent["name"], parent["service"], child["name"]) == ("chat m", SERVICE, "tool")
    assert child["parent_span_id"] == parent["span_id"]
    assert parent["error_type"] == "_OTHER"
    assert parent["attributes"] == {
        "gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 12,
        "gen_ai.request.temperature": 0.5, "gen_ai.request.stream": True, "tailwatch.tenant": way,
        "gen_ai.response.finish_reasons": ["stop", "length"], "text": "häßlich 𝄞",
    }  # fmt: skip


def test_every_log_is_taken_in_once_and_nothing_is_refused(delivered: Delivered) -> None:
    counters = delivered.server.get("/api/v1/status")["counters"]
    assert (counters["log_records"], counters["spans"]) == (len(LOG_WAYS) * COUNT, 2 * COUNT * len(SPAN_WAYS))
    assert (counters["rejected"], counters["requests_invalid"]) == ({}, {})


def test_metrics_arrive_with_their_values(delivered: Delivered) -> None:
    found = {one["name"]: one for one in delivered.server.get("/api/v1/metrics", service=SERVICE)["metrics"]}
    assert {name: one["kind"] for name, one in found.items()} == {
        "vllm:num_requests_waiting": "gauge", "exporters.duration": "histogram", "exporters.requests": "sum",
    }  # fmt: skip
    assert found["vllm:num_requests_waiting"]["last_value"] == COUNT
    assert found["exporters.requests"]["last_value"] == COUNT
    assert found["exporters.duration"]["unit"] == "s"
