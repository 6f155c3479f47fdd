"""Markdown and HTML made harmless before they reach the page; it renders nothing itself."""

from __future__ import annotations

import html
import re

_FENCE = re.compile(r"^\s{0,3}(```+|~~~+)")
_CODE = re.compile(r"(`+)(?:(?!\1).)+?\1")
_IMAGE = re.compile(r"!\[")
_DIRECTIVE = re.compile(r":(?=[a-z_+-]+(?:/[a-z_]+)?[:\[])")
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-.!|~$:<>])")


def plain(text: str) -> str:
    """Text for a place that renders Markdown, with nothing in it read as Markdown."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def escaped(text: str) -> str:
    """Text for a place that renders HTML, with nothing in it read as HTML."""
    return html.escape(text, quote=True)


def document(text: str) -> str:
    """A Markdown document, such as a runbook, without what would surprise: images, HTML, formulas, icons.

    A runbook holds values from telemetry. An image in it would call a foreign host, `$5 ... $6` would be set
    as a formula and `:red[` as colour; HTML stays text since Streamlit escapes it, and front matter is
    dropped. Code, fenced or inline, is left alone.
    """
    lines: list[str] = []
    fence = ""
    for line in _without_front_matter(text).splitlines():
        mark = _FENCE.match(line)
        if fence:
            if mark and mark.group(1).startswith(fence) and not line.strip(" `~"):
                fence = ""
            lines.append(line)
        elif mark:
            fence = mark.group(1)
            lines.append(line)
        else:
            lines.append(_outside_code(line))
    return "\n".join(lines)


def _without_front_matter(text: str) -> str:
    if not text.startswith("---\n"):
        return text
    _, found, rest = text[4:].partition("\n---\n")
    return rest if found else text


def _outside_code(line: str) -> str:
    done: list[str] = []
    place = 0
    for code in _CODE.finditer(line):
        done.append(_harmless(line[place : code.start()]))
        done.append(code.group())
        place = code.end()
    done.append(_harmless(line[place:]))
    return "".join(done)


def _harmless(text: str) -> str:
    without_images = _IMAGE.sub("[", text)
    return _DIRECTIVE.sub(r"\\:", re.sub(r"(?<!\\)\$", r"\\$", without_images))
