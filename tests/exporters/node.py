"""Node with OpenTelemetry JS from the lock file, installed once beside it and kept until the lock file changes."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

from tests.external import require_program

FOLDER = Path(__file__).parent
_MODULES = FOLDER / "node_modules"
_STAMP = _MODULES / ".installed-package-lock.json"


def node() -> str:
    """The program, ready to run ``send.mjs``; without it or its packages a test fails in CI and skips elsewhere."""
    program = require_program("node", "nodejs")
    npm = require_program("npm", "npm")
    with (FOLDER / "package-lock.json").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of two test runs, one installs
        wanted = lock.read()
        if not _STAMP.exists() or _STAMP.read_bytes() != wanted:
            _install(npm)
            _STAMP.write_bytes(wanted)
    return program


def _install(npm: str) -> None:
    shutil.rmtree(_MODULES, ignore_errors=True)
    # "resolved" is left out of the lock file: whichever registry is configured serves the versions, hashes prove them
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--omit-lockfile-registry-resolved"]
    try:
        ended = subprocess.run(command, cwd=FOLDER, check=False, capture_output=True, text=True, timeout=100)
    except subprocess.TimeoutExpired:
        _give_up("npm ci took more than 100 s")
    if ended.returncode:
        _give_up(f"npm ci failed: {ended.stderr.strip()[-500:]}")


def _give_up(sentence: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(sentence)
    pytest.skip(sentence)
