"""The decoder of protobuf bodies: compiled code once it is ready, the protobuf library until then and without Numba.

Numba takes a second of CPU to import and, on the first start, much longer to compile. Both happen in a thread of
their own that ``warm`` starts; importing this module costs nothing.
"""

from __future__ import annotations

import hashlib
import importlib
import logging
import os
import platform
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Final

from collector.decode.decoder import Decoder, Task
from collector.decode.protobuf import decode_protobuf
from collector.decode.raw_columns import RawColumns

_log = logging.getLogger(__name__)

_SECONDS: Final = 20
"""CPU time of the first compilation, roughly, on a machine of 2025."""

_PACKAGE: Final = Path(__file__).parent
_FINISHED: Final = "finished"
"""File that marks a cache as complete."""


class CompiledDecoder:
    """A :class:`Decoder` that becomes fast when ``warm`` has done its work; it decodes the same at any time."""

    def __init__(self) -> None:
        self._decode: Decoder = decode_protobuf
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
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
                cache can be written. ``NUMBA_CACHE_DIR`` comes before all of them.
        """
        with self._lock:
            if self._thread is None:
                self._state = "compiling"
                self._thread = threading.Thread(
                    target=self._warm, args=(directory,), name="compile-decoder", daemon=True
                )
                self._thread.start()
            return self._thread

    def _warm(self, directory: Path | None) -> None:
        try:
            cache = cache_directory(directory)
            finished = cache / _FINISHED
            if not finished.exists():
                _log.info(
                    "compiling the OTLP decoder (first start, about %d s); the slower one serves until then", _SECONDS
                )
            kernel = importlib.import_module("collector.decode.kernel.decoder")
            self._decode = kernel.compile_decoder(cache)
            finished.touch()
        except Exception as error:  # noqa: BLE001  # whatever it is, the other decoder goes on serving
            self._state = (
                f"unavailable: {str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__}"
            )
            _log.warning("the compiled OTLP decoder is %s; the slower one serves", self._state)
            return
        self._state = "ready"
        _log.info("the compiled OTLP decoder is ready")


def cache_directory(fallback: Path | None) -> Path:
    """A directory for this very version of the code on this machine; the first place that can be written."""
    name = f"tailwatch-{_fingerprint()}"
    for place in _places(fallback):
        directory = place / name
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(directory, os.W_OK):
            return directory
    return Path(tempfile.mkdtemp(prefix="tailwatch-"))


def _places(fallback: Path | None) -> Iterator[Path]:
    if "NUMBA_CACHE_DIR" in os.environ:
        yield Path(os.environ["NUMBA_CACHE_DIR"])
    yield _PACKAGE / "__pycache__"
    yield Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "tailwatch"
    if fallback is not None:
        yield fallback / "compiled"


def _fingerprint() -> str:
    """What compiled code depends on: Numba notices a change of the file of one function, and not of those it calls."""
    versions = [metadata.version(name) for name in ("numba", "llvmlite", "numpy")]
    checks = os.environ.get("NUMBA_BOUNDSCHECK", "")
    digest = hashlib.blake2b(
        repr((sys.version, platform.machine(), platform.processor(), versions, checks)).encode(), digest_size=8
    )
    for source in sorted((_PACKAGE / "kernel").glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()
