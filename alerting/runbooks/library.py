"""The runbooks by name: those that are shipped, and the user's own before them; rendering is elsewhere.

A runbook is ``NAME.md``: front matter between two lines ``---`` (``title``, ``causes``, ``slis``, ``severity``, all
optional), then Markdown.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from telemetry.errors import ConfigError, NotFoundError

SHIPPED: Final = Path(__file__).resolve().parent / "shipped"

_FENCE: Final = "---"
_KEYS: Final = frozenset({"title", "causes", "slis", "severity"})
_MAX_BYTES: Final = 256 * 1024
_UNKNOWN: Final = "unknown"
_REMEDY: Final = "begin the file with a line ---, then title:, causes:, slis: or severity:, then another line ---"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Runbook:
    """What to do; ``text`` is a Jinja2 template of Markdown, without the front matter."""

    name: str
    title: str
    text: str
    causes: tuple[str, ...] = ()
    slis: tuple[str, ...] = ()
    severity: tuple[str, ...] = ()
    file: Path | None = None

    def document(self) -> dict[str, Any]:
        """What is known of it without an incident, as the HTTP API gives it."""
        return {
            "name": self.name, "title": self.title, "causes": list(self.causes), "slis": list(self.slis),
            "shipped": self.file is not None and self.file.parent == SHIPPED,
        }  # fmt: skip


class RunbookLibrary:
    """Runbooks by name; it always has one for ``unknown``, so that :meth:`choose` never comes back empty.

    Args:
        folder: the user's own, which replace shipped ones of the same name; None for the shipped ones alone.

    Raises:
        ConfigError: the folder does not exist, or a file in it is no runbook.
    """

    def __init__(self, folder: Path | None = None) -> None:
        own = {} if folder is None else read_folder(folder)
        self._runbooks = {**read_folder(SHIPPED), **own}
        self._by_cause: dict[str, str] = {}
        # The user's own come last, and so win: what is of the cause's name, then what lists the cause.
        for runbooks in (read_folder(SHIPPED), own):
            for runbook in runbooks.values():
                self._by_cause.update(dict.fromkeys(runbook.causes, runbook.name))
            self._by_cause.update({name: name for name in runbooks})
        self._by_kind = {kind: one.name for one in self._runbooks.values() if not one.causes for kind in one.slis}

    @property
    def names(self) -> frozenset[str]:
        """The names of all runbooks."""
        return frozenset(self._runbooks)

    def all(self) -> tuple[Runbook, ...]:
        """Every runbook, by name."""
        return tuple(self._runbooks[name] for name in sorted(self._runbooks))

    def named(self, name: str) -> Runbook:
        """The runbook of that name.

        Raises:
            NotFoundError: there is none.
        """
        found = self._runbooks.get(name)
        if found is None:
            known = ", ".join(sorted(self._runbooks))
            raise NotFoundError(f"there is no runbook {name[:100]!r}", remedy=f"the runbooks are: {known}")
        return found

    def choose(self, named: str | None, cause: str, kind: str = "") -> Runbook:
        """The runbook that the SLO names, else the cause's, else that of the kind of SLI, else the one for unknown.

        Of a kind of SLI is one that lists it under ``slis`` and no causes: it asks what the evidence could not say.
        """
        if named:
            chosen = self._runbooks.get(named)
            if chosen is not None:
                return chosen
            logger.warning("no runbook is named %r: using the one for the cause %r", named, cause)
        chosen_name = self._by_cause.get(cause, _UNKNOWN)
        return self._runbooks[self._by_kind.get(kind, chosen_name) if chosen_name == _UNKNOWN else chosen_name]


def read_folder(folder: Path) -> dict[str, Runbook]:
    """Every ``*.md`` file of a folder, by name.

    Raises:
        ConfigError: the folder does not exist, or a file in it is no runbook.
    """
    if not folder.is_dir():
        raise ConfigError("this is no folder", where=str(folder), remedy="name a folder of Markdown files")
    return {file.stem: read_runbook(file) for file in sorted(folder.glob("*.md"))}


def read_runbook(file: Path) -> Runbook:
    """One runbook from its file.

    Raises:
        ConfigError: it cannot be read, is too long, or its front matter is faulty.
    """
    try:
        if file.stat().st_size > _MAX_BYTES:
            raise ConfigError("the runbook is longer than 256 KiB", where=str(file), remedy="link to what is long")
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the runbook cannot be read: {error}", where=str(file), remedy="save it as UTF-8") from None
    header, body = _split(text, file)
    title = header.get("title")
    return Runbook(
        name=file.stem,
        title=str(title) if title else file.stem.replace("-", " ").capitalize(),
        text=body,
        causes=_texts(header, "causes", file),
        slis=_texts(header, "slis", file),
        severity=_texts(header, "severity", file),
        file=file,
    )


def _split(text: str, file: Path) -> tuple[Mapping[str, Any], str]:
    lines = text.removeprefix("\ufeff").splitlines()
    if not lines or lines[0].strip() != _FENCE:
        return {}, text
    try:
        end = next(number for number, line in enumerate(lines[1:], start=1) if line.strip() == _FENCE)
    except StopIteration:
        raise ConfigError("the front matter does not end", where=str(file), remedy=_REMEDY) from None
    try:
        header = yaml.safe_load("\n".join(lines[1:end])) or {}
    except yaml.YAMLError as error:
        problem = str(getattr(error, "problem", None) or "it is not YAML")
        raise ConfigError(f"the front matter cannot be read: {problem}", where=str(file), remedy=_REMEDY) from None
    if not isinstance(header, dict):
        raise ConfigError("the front matter is not a mapping", where=str(file), remedy=_REMEDY)
    unknown = sorted(str(key) for key in header.keys() - _KEYS)
    if unknown:
        raise ConfigError(f"the front matter has an unknown key {unknown[0]!r}", where=str(file), remedy=_REMEDY)
    return header, "\n".join(lines[end + 1 :]).lstrip("\n") + "\n"


def _texts(header: Mapping[str, Any], key: str, file: Path) -> tuple[str, ...]:
    value = header.get(key) or []
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not all(isinstance(entry, str) for entry in values):
        raise ConfigError(f"{key} is not a list of texts", where=str(file), remedy=f"write {key}: [one, two]")
    return tuple(values)
