"""Links lead somewhere, commands exist with their options, and the parts that the code writes are up to date."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from tailwatch.cli import main
from tests.docs.pages import DOCS, PAGES, ROOT, Block, anchors, blocks, links, read, written_parts
from tests.docs.written import PARTS, part


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_lead_to_files_and_headings(page: Path) -> None:
    for target in links(page):
        if "://" in target:
            continue
        path, _, fragment = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{page.name} links to {target}"
        assert file.is_relative_to(ROOT)
        if fragment:
            assert fragment in anchors(file), f"{page.name} links to {target}, which has no such heading"


def test_every_page_is_linked_from_the_readme() -> None:
    linked = {target.partition("#")[0] for target in links(ROOT / "README.md")}
    assert {f"docs/{page.name}" for page in DOCS.glob("*.md")} <= linked


@pytest.mark.parametrize(
    ("page", "name"),
    [pytest.param(page, name, id=f"{page.stem}-{name}") for page in PAGES for name in written_parts(page)],
)
def test_what_the_code_writes_is_up_to_date(page: Path, name: str) -> None:
    assert written_parts(page)[name] == part(name), "run python -m tests.docs.written"


def test_everything_that_the_code_writes_is_in_a_page() -> None:
    found = [name for page in PAGES for name in written_parts(page)]
    assert sorted(found) == sorted([*PARTS, "alertmanager-example", "rich-example"])


def commands() -> list[tuple[str, list[str]]]:
    """Every ``tailwatch ...`` command in a console block or in code, and where it stands."""
    found = []
    for block in blocks("console", "sh"):
        text = block.text.replace("\\\n", " ")
        for place, line in enumerate(text.splitlines()):
            words = shlex.split(line, comments=True)
            if words and Path(words[0]).name == "tailwatch":
                found.append((f"{block} +{place}", words[1:]))
    for page in PAGES:
        prose = re.sub(r"^```.*?^```", "", read(page), flags=re.MULTILINE | re.DOTALL)
        spans = re.findall(r"`(tailwatch [a-z-][^`]*)`", prose)
        found.extend((f"{page.relative_to(ROOT)}: {code}", shlex.split(code)[1:]) for code in spans)
    return found


def parsed(words: list[str]) -> click.Context:
    """The innermost context that the words parse to; nothing is run.

    Raises:
        click.UsageError: no such command or option.
    """
    context = main.make_context("tailwatch", list(words))
    while isinstance(context.command, click.Group):
        rest = [*context._protected_args, *context.args]  # what a group leaves to its commands
        if not rest:
            return context
        name, child, after = context.command.resolve_command(context, rest)
        assert child is not None
        context = child.make_context(name, after, parent=context)
    return context


@pytest.mark.parametrize(("where", "words"), [pytest.param(*found, id=found[0]) for found in commands()])
def test_commands_exist_with_their_options(where: str, words: list[str]) -> None:
    placeholders = {"NAME": "tail-spike", "--help": None}
    words = [kept for word in words if (kept := placeholders.get(word, word)) is not None]
    try:
        parsed(words)
    except (click.exceptions.NoArgsIsHelpError, click.MissingParameter):
        assert "`" not in where
        assert " +" not in where, f"{where}: a command to copy lacks an argument; only prose may name it without"
    except click.UsageError as error:
        pytest.fail(f"{where}: {error.format_message()}")


def test_a_wrong_option_would_be_found() -> None:
    with pytest.raises(click.UsageError):
        parsed(["slo", "lint", "--pedantic", "slos.yaml"])
    with pytest.raises(click.UsageError):
        parsed(["incidents"])


def python_modules() -> list[Block]:
    return [block for block in blocks("console") if "python -m " in block.text]


@pytest.mark.parametrize("block", python_modules(), ids=str)
def test_python_modules_of_commands_exist(block: Block) -> None:
    for module in re.findall(r"python -m ([\w.]+)", block.text):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module
