"""A stored JSON object that is read when somebody looks into it; it cannot be changed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from alerting.evidence import encoded


class LazyJson(Mapping[str, Any]):
    """The object in ``text``, which is known to be one.

    Evaluations load the evidence of all that fires, thousands of documents in a burst, and look into few.
    """

    __slots__ = ("_document", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._document: dict[str, Any] | None = None

    @property
    def text(self) -> str:
        """It as it is stored."""
        return self._text

    def _read(self) -> dict[str, Any]:
        if self._document is None:
            self._document = json.loads(self._text)
        return self._document

    def __getitem__(self, name: str) -> Any:
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def __repr__(self) -> str:
        return f"LazyJson({self._text!r})"


def text_of(document: Mapping[str, Any]) -> str:
    """A clean object as it is stored, and one that was stored as it was."""
    return document.text if isinstance(document, LazyJson) else encoded(dict(document))
