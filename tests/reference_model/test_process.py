"""The process: load against it, a graceful end, and command lines that cannot work."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from reference_model.__main__ import main
from reference_model.load.arrivals import TraceRow
from reference_model.load.generator import LoadGenerator
from reference_model.load.traffic import Arrivals, LoadChange, Traffic
from tests.reference_model.conftest import Running
from tests.reference_model.otlp_receiver import OtlpReceiver


def _traffic(rate: float, **fields: object) -> Traffic:
    return replace(Traffic(Arrivals(rate=rate), operations={"classify": 1.0}), **fields)  # type: ignore[arg-type]


async def test_load_is_sent_answered_and_summed_up(running: Running) -> None:
    generator = LoadGenerator(str(running.client.base_url), replace(_traffic(8), operations=dict(Traffic().operations)))
    told = (await generator.run(3)).as_dict()
    assert told["sent"] == told["ok"] > 10
    assert told["errors"] == told["throttled"] == told["skipped"] == 0
    assert set(told["latency_s"]) >= {"classify"}


async def test_load_changes_while_it_runs_and_reports_the_truth(running: Running) -> None:
    arrived: asyncio.Queue[tuple[str, bool]] = asyncio.Queue()
    traffic = _traffic(8, input_types={"chat": 1.0}, feedback_share=1.0, repeat_share=0.0)
    generator = LoadGenerator(
        str(running.client.base_url), traffic, feedback=lambda *told: arrived.put_nowait((told[2], told[3]))
    )
    run = asyncio.create_task(generator.run())
    judged = [await arrived.get() for _ in range(10)]
    before = generator.change(LoadChange(2.0, {"topics": ("trivia",)}))
    assert before == traffic
    assert generator.traffic.arrivals.rate == 16
    judged += [await arrived.get() for _ in range(30)]
    generator.stop()
    summary = await run
    assert summary.outcomes["ok"] == summary.sent == len(judged) + arrived.qsize()
    assert {topic for topic, _ in judged[-15:]} == {"trivia"}
    assert sum(correct for _, correct in judged) > 0.5 * len(judged)


async def test_a_trace_is_replayed_at_its_own_times(running: Running) -> None:
    rows = [TraceRow(offset, 40, 3) for offset in (0.0, 1.0, 2.0, 100.0)]
    generator = LoadGenerator(str(running.client.base_url), Traffic())
    summary = await generator.replay(rows, time_scale=10, seconds=5)
    assert summary.outcomes["ok"] == summary.sent == 3


async def test_an_absent_service_is_counted_not_raised() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        generator = LoadGenerator(f"http://127.0.0.1:{reserved.getsockname()[1]}", _traffic(50))
        told = (await generator.run(0.3)).as_dict()
    assert told["errors"] == told["sent"] > 0
    assert list(told["statuses"]) == ["ConnectError"]


def test_sigterm_finishes_what_was_accepted_and_sends_its_telemetry() -> None:
    telemetry = OtlpReceiver()
    command = [sys.executable, "-m", "reference_model", "serve", "--port", "0", "--otlp", telemetry.url]
    process = subprocess.Popen([*command, "--models", "classify"], stdout=subprocess.PIPE, text=True, env=os.environ)
    try:
        assert process.stdout is not None
        url = process.stdout.readline().split()[2]
        httpx.post(
            f"{url}/admin/faults",
            json={"name": "tail-spike", "parameters": {"share": 1.0, "delay_s": 2.0}},
            trust_env=False,
        ).raise_for_status()
        answers: list[httpx.Response] = []
        slow = threading.Thread(
            target=lambda: answers.append(
                httpx.post(f"{url}/v1/classify", json={"input": "hello"}, timeout=30, trust_env=False)
            )
        )
        slow.start()
        while not httpx.get(f"{url}/admin/state", trust_env=False).json()["requests_inside"]:
            assert slow.is_alive()
        refused = httpx.post(
            f"{url}/v1/chat/completions", json={"messages": [{"role": "user", "content": "x"}]}, trust_env=False
        )
        assert refused.status_code == 404
        process.send_signal(signal.SIGTERM)
        slow.join(timeout=30)
        assert process.wait(timeout=30) == 0
        assert [answer.status_code for answer in answers] == [200]
        telemetry.wait_for_span(lambda span: span.trace_id == answers[0].headers["x-trace-id"])
    finally:
        process.kill()
        process.wait()
        telemetry.close()


def test_a_taken_port_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["serve", "--port", str(taken.getsockname()[1])]) == 1
    error = capsys.readouterr().err
    assert "Cannot listen" in error
    assert "--port" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["serve", "--models", "poetry"], "may name classify, chat"),
        (["load", "--mix", "poetry=1"], "may name classify"),
        (["load", "--rate", "-1"], "must not be negative"),
        (["load", "--replay", "absent.csv"], "absent.csv"),
    ],
)
def test_senseless_arguments_are_one_sentence(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1
