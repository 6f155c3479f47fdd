"""Text of unknown origin as one line that people can read; it escapes for no format."""

from __future__ import annotations

import unicodedata
from typing import Any, Final

MAX_VALUE: Final = 300
"""Characters of one value; longer ones are cut, so that none can bury the instructions."""

_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def flat(value: Any, limit: int = MAX_VALUE) -> str:
    """The value as one line of visible text, cut: no line breaks, no control or direction-changing characters."""
    text = "" if value is None else str(value)
    visible = text[: 4 * limit]
    if not visible.isprintable():
        visible = "".join(" " if unicodedata.category(letter) in _INVISIBLE else letter for letter in visible)
    return cut(" ".join(visible.split()), limit)


def cut(text: str, limit: int) -> str:
    """At most ``limit`` characters, an ellipsis in place of what is missing."""
    return text if len(text) <= limit else text[: max(limit - 1, 0)] + "…"[:limit]
