"""The dashboard as a process: what it refuses, and that Ctrl-C ends it cleanly (SIGTERM ends every other test)."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from dashboard.__main__ import main
from tests.dashboard.conftest import free_port, start_dashboard


def test_it_ends_cleanly_on_an_interrupt(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = start_dashboard(free_port(), "http://127.0.0.1:9", log)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 0
    assert "Traceback" not in log.read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--port", "abc"], "abc is no port; give a number from 1 to 65535"),
        (["--port", "70000"], "70000 is no port"),
        (["--port", "0"], "0 is no port"),
    ],
)
def test_a_bad_port_is_one_sentence(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("refresh", ["soon", "0", "-1", "2.5", "3601", "²"])
def test_a_bad_refresh_is_one_sentence(
    refresh: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAILWATCH_REFRESH_S", refresh)
    assert main([]) == 2
    said = capsys.readouterr().err
    assert said == f"TAILWATCH_REFRESH_S is '{refresh}'; give a whole number of seconds from 1 to 3600.\n"
