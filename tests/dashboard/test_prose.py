"""Markdown and HTML that came from telemetry or a runbook are made harmless."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import prose


@pytest.mark.parametrize(
    ("given_text", "expected"),
    [
        ("costs $5 to $9", r"costs \$5 to \$9"),
        (r"already \$5", r"already \$5"),
        ("run `echo $HOME` for $5", r"run `echo $HOME` for \$5"),
        ("``a ` $b`` $c", r"``a ` $b`` \$c"),
        ("![t](http://192.0.2.1/p.png)", "[t](http://192.0.2.1/p.png)"),
        ("see :red[this] and :material/home:", r"see \:red[this] and \:material/home:"),
        ("at 12:30:45: go", "at 12:30:45: go"),
        ("```sh\necho $A ![x]\n```\n$5", "```sh\necho $A ![x]\n```\n\\$5"),
        ("~~~\n```\n$a\n~~~\n$b", "~~~\n```\n$a\n~~~\n\\$b"),
        ("---\ntitle: x\n---\n# y", "# y"),
        ("--- \nnot front matter", "--- \nnot front matter"),
        ("---\nnever closed", "---\nnever closed"),
        ("", ""),
    ],
)
def test_document(given_text: str, expected: str) -> None:
    assert prose.document(given_text) == expected


@given(st.text(alphabet="ab$`![]()\n~: ", max_size=60))
def test_document_adds_only_backslashes_and_drops_only_bangs(text: str) -> None:
    cleaned = prose.document(text)
    assert cleaned.replace("\\", "").replace("!", "") == "\n".join(text.splitlines()).replace("!", "")


@given(st.text(alphabet="abc *_`$[]<>#:\\", max_size=40))
def test_plain_keeps_every_word(text: str) -> None:
    unescaped, skip = "", False
    for character in prose.plain(text):
        skip = character == "\\" and not skip
        unescaped += "" if skip else character
    assert unescaped == " ".join(text.split())


def test_plain_and_escaped() -> None:
    assert prose.plain("a *b*\n<c>") == r"a \*b\* \<c\>"
    assert prose.escaped("<a href='x'>&") == "&lt;a href=&#x27;x&#x27;&gt;&amp;"
