"""The life of the compiled decoder: what serves before it is ready, where its code is kept, and life without Numba."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import threading
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from collector.decode import CompiledDecoder, Task
from collector.decode import compiled as module
from collector.decode.compiled import object_file
from tests.collector.decode_cases import compiled
from tests.collector.messages import NOW_NS, span, traces

SPANS = Task("span", frozenset({"custom"}), NOW_NS)
BODY = traces([span(custom="x")]).SerializeToString()


def test_importing_the_service_imports_no_compiler_and_decoding_never_numba() -> None:
    compiled()
    script = """
import sys, tailwatch.service
from collector.decode import CompiledDecoder, Task
assert "numba" not in sys.modules and "llvmlite" not in sys.modules
decoder = CompiledDecoder()
decoder.warm().join()
decoder([b""], Task("span", frozenset(), 0))
assert decoder.state == "ready" and "numba" not in sys.modules
"""
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
    monkeypatch.setattr(module, "_OWN", tmp_path / "own")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    assert object_file(tmp_path / "data").parent == tmp_path / "own"
    monkeypatch.setattr(module, "_OWN", file / "own")
    assert object_file(tmp_path / "data").parent == tmp_path / "user" / "tailwatch"
    monkeypatch.setenv("XDG_CACHE_HOME", str(file))
    assert object_file(tmp_path / "data").parent == tmp_path / "data" / "compiled"
    assert object_file(file).parent.is_dir()


def test_a_broken_object_file_leaves_the_library_serving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_OWN", tmp_path)
    object_file(None).write_bytes(b"no object file")
    decoder = CompiledDecoder()
    decoder.warm().join()
    assert decoder.state.startswith("unavailable: ")
    assert len(decoder([BODY], SPANS)) == 1


def test_code_of_other_versions_goes_when_nobody_uses_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled()
    ready = object_file(None)
    monkeypatch.setattr(module, "_OWN", tmp_path)
    monkeypatch.setattr(CompiledDecoder, "_compile", lambda _self, file: shutil.copy(ready, file))
    old, used, other = (tmp_path / name for name in ("tailwatch-decoder-1.o", "tailwatch-decoder-2.o", "other.pyc"))
    for file in (old, used, other):
        file.touch()
    os.utime(old, (0, 0))
    os.utime(other, (0, 0))
    CompiledDecoder().warm().join()
    assert sorted(tmp_path.iterdir()) == sorted([used, other, object_file(None)])


def test_arrays_of_another_kind_are_refused() -> None:
    compiled()
    program = import_module("collector.decode.kernel.program").load_program(object_file(None))
    slots, entries = np.full(4, -1, dtype=np.int32), np.zeros((1, 5), dtype=np.int64)
    for wrong in (entries.astype(np.int32), entries[0], np.zeros((5, 2), dtype=np.int64).T):
        with pytest.raises(TypeError, match="fill_slots"):
            program.fill_slots(slots, wrong)
    assert slots.tolist() == [-1] * 4
