"""A rendered runbook as one HTML page that loads nothing, to be printed, mailed or opened where no server is."""

from __future__ import annotations

from html import escape
from typing import Final

from markdown_it import MarkdownIt

_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse}td,th{border:1px solid #8888;padding:.2rem .6rem;text-align:left}"
    "code,pre{background:#8882;padding:.1rem .3rem}pre{padding:.6rem;overflow:auto}"
    "@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}a{color:#8bf}}"
)


def page(title: str, markdown: str) -> str:
    """The page; HTML within the Markdown is shown as text, not obeyed."""
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><h1>{escape(title)}</h1>\n{body}</body></html>\n"
    )
