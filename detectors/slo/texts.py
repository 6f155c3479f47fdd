"""The texts of SLO files; what is no text, or too much of it, is a problem that names the file. It parses nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from telemetry.errors import Problem

_MOST_BYTES: Final = 4 * 1024 * 1024
"""Some ten thousand SLOs; YAML of that size takes half a minute to read."""


def read_texts(paths: Sequence[Path]) -> tuple[list[tuple[str, str]], list[Problem]]:
    """(file name, text) of the files, and a problem for each that cannot be read.

    A folder stands for the ``*.yaml`` and ``*.yml`` files in it.
    """
    texts: list[tuple[str, str]] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            files = _inside(path) if path.is_dir() else [path]
        except OSError as error:
            problems.append(_unreadable(path, error.strerror or str(error)))
            continue
        if not files:
            problems.append(
                Problem(str(path), 0, "", "the folder holds no SLO file", "name files, or a folder of *.yaml")
            )
        for file in files:
            try:
                texts.append((str(file), _text(file)))
            except (OSError, UnicodeDecodeError, _UnusableError) as error:
                reason = "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error)
                strerror = error.strerror if isinstance(error, OSError) else None
                problems.append(_unreadable(file, strerror or reason))
    return texts, problems


class _UnusableError(Exception):
    """What a path names is no file of a sensible size."""


def _inside(folder: Path) -> list[Path]:
    return sorted(found for found in folder.iterdir() if found.suffix in (".yaml", ".yml"))


def _text(file: Path) -> str:
    if file.exists() and not file.is_file():
        raise _UnusableError("it is no regular file")
    if file.exists() and file.stat().st_size > _MOST_BYTES:
        raise _UnusableError(f"it is larger than {_MOST_BYTES // 1024 // 1024} MiB")
    return file.read_text(encoding="utf-8-sig")


def _unreadable(path: Path, reason: str) -> Problem:
    return Problem(str(path), 0, "", f"cannot be read: {reason}", "check the path and the file")
