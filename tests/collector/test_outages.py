from __future__ import annotations

import pytest

from collector.outages import OutageLog
from telemetry.errors import StorageError

FULL = StorageError("the disk is full", where="data/tailwatch.db", remedy="free some space")


def test_an_outage_is_told_at_once_then_every_ten_seconds_and_when_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    now_s = 100.0
    told = OutageLog(lambda: now_s)
    told.over()
    for tenth in range(250):
        now_s = 100 + tenth / 10
        told.failed(2, FULL)
    told.over()
    told.over()
    sentence = "requests were not committed: data/tailwatch.db: the disk is full. free some space"
    assert caplog.messages == [
        f"2 {sentence}", f"202 {sentence}", f"402 {sentence}",
        "committing again after 25 s, in which 500 requests were refused",
    ]  # fmt: skip


def test_another_outage_is_told_at_once_again(caplog: pytest.LogCaptureFixture) -> None:
    told = OutageLog(lambda: 5.0)
    for _ in range(2):
        told.failed(1, FULL)
        told.over()
    assert [message.split(maxsplit=1)[0] for message in caplog.messages] == ["1", "committing", "1", "committing"]
