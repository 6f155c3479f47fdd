"""The documents as text: their links, their code blocks, and the parts that are written by the code itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
PAGES: Final = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md")))

_FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LINK: Final = re.compile(r"\[[^\]\[]*\]\(([^)\s]+)\)")
_HEADING: Final = re.compile(r"^#{1,6} +(.*?) *$", re.MULTILINE)
_PART: Final = re.compile(r"(<!-- written by tests/docs/written\.py: ([\w-]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: the page, the 1-based line of its first line, its language and text."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(*languages: str) -> list[Block]:
    """The fenced blocks of every page in these languages."""
    return [
        Block(page, text.count("\n", 0, found.start()) + 2, found[1], found[2])
        for page in PAGES
        for text in [read(page)]
        for found in _FENCE.finditer(text)
        if found[1] in languages
    ]


def links(page: Path) -> list[str]:
    """Targets of the links outside code."""
    return _LINK.findall(re.sub(r"`[^`\n]*`", "", _FENCE.sub("", read(page))))


def anchors(page: Path) -> set[str]:
    """The fragments that GitHub makes of the headings."""
    headings = _HEADING.findall(_FENCE.sub("", read(page)))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def written_parts(page: Path) -> Mapping[str, str]:
    """The parts of a page that the code writes, by name."""
    return {found[2]: found[3].rstrip("\n") for found in _PART.finditer(read(page))}


def with_parts(text: str, parts: Mapping[str, str]) -> str:
    """``text`` with every such part written anew."""
    return _PART.sub(lambda found: f"{found[1]}{parts[found[2]]}\n{found[4]}", text)
