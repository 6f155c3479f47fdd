"""The life of the compiled decoder: what serves before it is ready, where its code is kept, and life without Numba."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from collector.decode import CompiledDecoder, Task
from collector.decode import compiled as module
from collector.decode.compiled import cache_directory
from tests.collector.decode_cases import compiled
from tests.collector.messages import NOW_NS, span, traces

SPANS = Task("span", frozenset({"custom"}), NOW_NS)
BODY = traces([span(custom="x")]).SerializeToString()


def test_importing_the_service_does_not_import_numba() -> None:
    script = "import tailwatch.service, sys; sys.exit(any(name in sys.modules for name in ('numba', 'llvmlite')))"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_the_library_serves_until_the_compiled_one_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled()
    may_load, real = threading.Event(), module.importlib.import_module

    def wait_and_import(name: str) -> object:
        may_load.wait()
        return real(name)

    monkeypatch.setattr(module.importlib, "import_module", wait_and_import)
    decoder = CompiledDecoder()
    assert decoder.state == "not warmed"
    thread = decoder.warm()
    assert decoder.state == "compiling"
    assert decoder([BODY], SPANS).attributes["custom"].strings.tolist() == ["x"]
    may_load.set()
    thread.join()
    assert decoder.state == "ready"
    assert decoder([BODY], SPANS).attributes["custom"].strings.tolist() == ["x"]


def test_it_is_warmed_once_and_says_when_it_is_ready(caplog: pytest.LogCaptureFixture) -> None:
    compiled()
    decoder = CompiledDecoder()
    with caplog.at_level(logging.INFO, logger="collector.decode.compiled"):
        assert decoder.warm() is decoder.warm()
        decoder.warm().join()
    assert caplog.messages == ["the compiled OTLP decoder is ready"]


def test_without_numba_it_says_so_once_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    compiled()

    def fail(name: str) -> object:
        raise ModuleNotFoundError("No module named 'numba'")

    monkeypatch.setattr(module.importlib, "import_module", fail)
    decoder = CompiledDecoder()
    decoder.warm().join()
    assert decoder.state == "unavailable: No module named 'numba'"
    assert len(decoder([BODY], SPANS)) == 1
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_compiled_code_is_kept_where_it_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "chosen"))
    assert cache_directory(tmp_path / "data").parent == tmp_path / "chosen"
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(file))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    monkeypatch.setattr(module, "_OWN", file / "own")
    assert cache_directory(tmp_path / "data").parent == tmp_path / "user" / "tailwatch"
    monkeypatch.setenv("XDG_CACHE_HOME", str(file))
    assert cache_directory(tmp_path / "data").parent == tmp_path / "data" / "compiled"
    assert cache_directory(file).is_dir()
