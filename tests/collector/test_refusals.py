from __future__ import annotations

import pytest

from collector.refusals import RefusalLog
from telemetry.clock import ManualClock
from telemetry.errors import PayloadError

LARGE = PayloadError("the body exceeds 5 bytes", status=413, remedy="send smaller batches")


def test_a_refusal_is_told_with_sender_reason_and_remedy(caplog: pytest.LogCaptureFixture) -> None:
    RefusalLog(ManualClock()).tell(413, "10.0.0.7", LARGE)
    assert caplog.messages == ["refused with 413 from 10.0.0.7: the body exceeds 5 bytes. send smaller batches"]
    assert caplog.records[0].levelname == "WARNING"


def test_a_flood_is_a_line_a_minute_and_status_that_counts_the_others(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock()
    told = RefusalLog(clock)
    for _ in range(1000):
        told.tell(413, "10.0.0.7", LARGE)
        told.tell(400, "10.0.0.8", "no protobuf")
    assert [message.split(":")[0] for message in caplog.messages] == [
        "refused with 413 from 10.0.0.7", "refused with 400 from 10.0.0.8",
    ]  # fmt: skip
    clock.advance(60)
    told.tell(413, "10.0.0.9", "too large")
    told.tell(413, "10.0.0.9", "too large")
    assert caplog.messages[2:] == [
        "refused with 413 from 10.0.0.9: too large (999 more with this status since the last line)"
    ]


def test_a_sender_cannot_write_lines_or_pages_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    RefusalLog(ManualClock()).tell(400, "10.0.0.7", "broken\n2026-01-01 ERROR all is lost\r\n" + "x" * 10_000)
    (message,) = caplog.messages
    assert "\n" not in message
    assert "\r" not in message
    assert len(message) < 600
