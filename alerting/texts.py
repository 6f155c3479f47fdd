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
    return cut(" ".join(visible(text[: 4 * limit]).split()), limit)


def visible(text: str) -> str:
    """The text with a space in place of what commands a terminal, breaks a line, or changes the direction."""
    if text.isprintable():
        return text
    return "".join(" " if unicodedata.category(letter) in _INVISIBLE else letter for letter in text)


def cut(text: str, limit: int) -> str:
    """At most ``limit`` characters, an ellipsis in place of what is missing."""
    return text if len(text) <= limit else text[: max(limit - 1, 0)] + "…"[:limit]
