"""Programs from outside Python that tests drive for real: in CI they must be there, elsewhere a test may skip."""

from __future__ import annotations

import os
import shutil

import pytest


def require_program(name: str, package: str) -> str:
    """The program's path; without it the test fails in CI and skips elsewhere, saying what to install."""
    found = shutil.which(name)
    if found is None:
        sentence = f"{name} is not installed (Debian package {package})"
        if os.environ.get("CI"):
            pytest.fail(sentence)
        pytest.skip(sentence)
    return found
