"""Tells when files have changed, by their times and sizes; it reads none of them.

A change is told once the files have looked the same twice, so that nobody reads what an editor is still writing.
"""

from __future__ import annotations

import glob
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

_Look: TypeAlias = frozenset[tuple[str, int, int, int]]
"""Name, time of change in ns, size and inode of each file there is."""


class Watch:
    """Files named by ``patterns``, as paths or globs; a folder stands for what is in it."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._patterns = tuple(patterns)
        self._known = self._last = _look(self._patterns)

    def changed(self) -> bool:
        """Whether the files differ from those known, and have stopped changing; the new ones are known then."""
        look = _look(self._patterns)
        settled = look == self._last
        self._last = look
        if look == self._known or not settled:
            return False
        self._known = look
        return True


def _look(patterns: Iterable[str]) -> _Look:
    found = set()
    for pattern in patterns:
        for name in glob.glob(pattern, recursive=True):  # noqa: PTH207 - patterns may be absolute
            path = Path(name)
            for file in (path, *path.glob("*.y*ml")) if path.is_dir() else (path,):
                try:
                    stat = file.stat()
                except OSError:  # it went between the two calls
                    continue
                found.add((str(file), stat.st_mtime_ns, stat.st_size, stat.st_ino))
    return frozenset(found)
