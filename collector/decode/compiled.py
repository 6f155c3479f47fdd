"""The decoder of protobuf bodies: compiled code once it is ready, the protobuf library until then and without LLVM.

To compile, on the first start, takes many seconds, Numba with its hundreds of megabytes, and the interpreter's lock,
and cannot be broken off. So a process of its own does it and leaves an object file in a cache, which is all that the
serving process needs: it never imports Numba. ``warm`` links the file in a thread; importing this module costs nothing.
"""

from __future__ import annotations

import atexit
import hashlib
import importlib
import logging
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Final

from collector.decode.decoder import Decoder, Task
from collector.decode.protobuf import decode_protobuf
from collector.decode.raw_columns import RawColumns

_log = logging.getLogger(__name__)

_SECONDS: Final = 30
"""CPU time of the first compilation, roughly, on a machine of 2025."""

_PACKAGE: Final = Path(__file__).parent
_OWN: Final = _PACKAGE / "__pycache__"
_PREFIX: Final = "tailwatch-decoder-"
_DISUSED_S: Final = 7 * 86_400
"""Code of another version that was loaded by nobody for so long is deleted when a new one is compiled."""


class CompiledDecoder:
    """A :class:`Decoder` that becomes fast when ``warm`` has done its work; it decodes the same at any time."""

    def __init__(self) -> None:
        self._decode: Decoder = decode_protobuf
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._compiler: subprocess.Popen[str] | None = None
        self._closing = False
        self._state = "not warmed"

    @property
    def state(self) -> str:
        """``not warmed``, ``compiling``, ``ready`` or ``unavailable: why``."""
        return self._state

    def __call__(self, bodies: Sequence[bytes], task: Task) -> RawColumns:
        """See :class:`Decoder`."""
        return self._decode(bodies, task)

    def warm(self, directory: Path | None = None) -> threading.Thread:
        """Begin to compile, or to load what an earlier start compiled; returns the thread that does it.

        It is done once, however often it is asked for.

        Args:
            directory: where compiled code may be kept when neither the package's own directory nor the user's
                cache can be written.
        """
        with self._lock:
            if self._thread is None:
                self._state = "compiling"
                # The interpreter must not end while LLVM is at work: that aborts the process.
                atexit.register(self.close)
                self._thread = threading.Thread(
                    target=self._warm, args=(directory,), name="compile-decoder", daemon=True
                )
                self._thread.start()
            return self._thread

    def close(self) -> None:
        """Break compiling off, and wait until nothing is being loaded any more."""
        with self._lock:
            self._closing = True
            if self._compiler is not None:
                self._compiler.terminate()
        if self._thread is not None:
            self._thread.join()

    def _warm(self, directory: Path | None) -> None:
        try:
            file = object_file(directory)
            if not file.exists():
                _log.info(
                    "compiling the OTLP decoder (first start, about %d s); the slower one serves until then", _SECONDS
                )
                self._compile(file)
                _delete_disused(file)
            kernel = importlib.import_module("collector.decode.kernel.decoder")
            self._decode = kernel.load_decoder(file)
            _note_use(file)
        except _ClosedError:
            return
        except Exception as error:  # noqa: BLE001  # whatever it is, the other decoder goes on serving
            self._state = (
                f"unavailable: {str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__}"
            )
            _log.warning("the compiled OTLP decoder is %s; the slower one serves", self._state)
            return
        self._state = "ready"
        _log.info("the compiled OTLP decoder is ready")

    def _compile(self, file: Path) -> None:
        with self._lock:
            if self._closing:
                raise _ClosedError
            self._compiler = subprocess.Popen(  # noqa: S603  # our own interpreter and module
                [sys.executable, "-m", "collector.decode.kernel", str(file)],
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,  # Ctrl-C is for the server, which ends this one
            )
        with self._compiler:
            _, said = self._compiler.communicate()
        if self._closing:
            raise _ClosedError
        if self._compiler.returncode != 0:
            last = said.strip().splitlines()[-1:] or [f"exit status {self._compiler.returncode}"]
            raise RuntimeError(f"it could not be compiled: {last[0]}")


class _ClosedError(Exception):
    """Nobody waits for the decoder any more."""


def object_file(fallback: Path | None) -> Path:
    """Where the code for this very version and machine is, or may be written: the first such place."""
    name = f"{_PREFIX}{_fingerprint()}.o"
    for place in _places(fallback):
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if (place / name).exists() or os.access(place, os.W_OK):
            return place / name
    return Path(tempfile.mkdtemp(prefix="tailwatch-")) / name


def _places(fallback: Path | None) -> Iterator[Path]:
    yield _OWN
    yield Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "tailwatch"
    if fallback is not None:
        yield fallback / "compiled"


def _fingerprint() -> str:
    """What compiled code depends on: its sources, the compiler, and what the processor can do."""
    llvm = importlib.import_module("llvmlite.binding")
    machine = llvm.get_process_triple(), llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    versions = [metadata.version(name) for name in ("numba", "llvmlite", "numpy")]
    checks = os.environ.get("NUMBA_BOUNDSCHECK", "")
    digest = hashlib.blake2b(repr((machine, versions, checks)).encode(), digest_size=8)
    for source in sorted((_PACKAGE / "kernel").glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()


def _note_use(file: Path) -> None:
    with suppress(OSError):  # of another user, who lets us read it
        os.utime(file)


def _delete_disused(newest: Path) -> None:
    """Delete what lies beside the ``newest`` file, of other versions that nobody loads any more."""
    last_s = newest.stat().st_mtime - _DISUSED_S
    for file in newest.parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if file.stat().st_mtime < last_s:
                file.unlink()
