"""What is wrong with the ``alerting:`` section, each as one sentence that says what to do instead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from alerting.config_places import place_of

Path = tuple[int | str, ...]
"""Keys and list indices that lead to a setting within the section."""
Problem = tuple[Path, str]
"""Where something is wrong, and what it is and what to do, without the full stop."""

_UNKNOWN: Final = object()


@dataclass(frozen=True, slots=True)
class Problems:
    """What is wrong with a section, and what of it nothing uses; ``written``: where a setting of ours stands there."""

    wrong: list[Problem] = field(default_factory=list)
    unused: list[Problem] = field(default_factory=list)
    written: dict[Path, Path] = field(default_factory=dict)

    def as_written(self, path: Path, document: Mapping[str, Any]) -> Path:
        """Where a setting of ``document`` stands in the file, which may be another's.

        Where one may stand for a list of one, it has no place in it.
        """
        found: Path = ()
        node: Any = document
        for part in path:
            if isinstance(part, int) and not isinstance(node, list) and node is not _UNKNOWN:
                continue
            found = (*found, part)
            try:
                node = node[part]
            except (KeyError, IndexError, TypeError):
                node = _UNKNOWN  # as where YAML reads on: as a truth
        for length in range(len(found), 0, -1):
            if found[:length] in self.written:
                return (*self.written[found[:length]], *found[length:])
        return found


_SECRET_KEYS: Final = {
    "webhook_url": "write webhook_url_env: NAME_OF_A_VARIABLE or webhook_url_file: PATH",
    "api_url": "write webhook_url_env: NAME_OF_A_VARIABLE or webhook_url_file: PATH",
    "secret": "write secret_env: NAME_OF_A_VARIABLE or secret_file: PATH",
    "token": "write secret_env: NAME_OF_A_VARIABLE or secret_file: PATH",
    "password": "write password_env: NAME_OF_A_VARIABLE or password_file: PATH",
    "credentials": "write credentials_env: NAME_OF_A_VARIABLE or credentials_file: PATH",
    "bearer_token": "write bearer_token_env: NAME_OF_A_VARIABLE or bearer_token_file: PATH",
    "bot_token": "write bot_token_env: NAME_OF_A_VARIABLE or bot_token_file: PATH",
    "routing_key": "write routing_key_env: NAME_OF_A_VARIABLE or routing_key_file: PATH",
    "secrets": "write files: [PATH] or env: [NAME_OF_A_VARIABLE]",
    "key": "write key_file: PATH",
}
"""Keys under which people put secrets, and what to write instead."""

_BY_TYPE: Final = {
    "missing": "this is missing; add it",
    "bool_type": "this is not true or false; write one of them, without quotes",
    "bool_parsing": "this is not true or false; write one of them, without quotes",
    "string_type": "this is not a text; put it in quotes",
    "list_type": "this is not a list; write it as [one, two]",
    "tuple_type": "this is not a list; begin each entry with a dash",
    "model_type": "this is not a mapping; write key: value pairs below it",
    "model_attributes_type": "this is not a mapping; write key: value pairs below it",
    "string_too_short": "this is empty; write something or leave it out",
    "string_too_long": "this is too long; shorten it",
}


def sentences(
    error: ValidationError, where: str, file: FilePath | None, document: Mapping[str, Any], problems: Problems
) -> list[str]:
    """One sentence for each problem: where, what, what to do; none repeats a value that might be a secret.

    ``document`` is what was checked, and ``problems`` knows where it stands in the file.
    """
    found = [
        _sentence(problem, place_of(where, problems.as_written(problem["loc"], document), file))
        for problem in error.errors(include_url=False, include_input=False)
    ]
    return list(dict.fromkeys(found))


def sentence(problem: Problem, where: str, file: FilePath | None = None) -> str:
    """One problem that was found beside pydantic's."""
    path, what = problem
    return f"{place_of(where, path, file)}: {what}."


def _sentence(problem: ErrorDetails, place: str) -> str:
    key = str(problem["loc"][-1]) if problem["loc"] else ""
    kind = problem["type"]
    if kind == "extra_forbidden":
        if key in _SECRET_KEYS:
            return f"{place}: secrets may not stand in this file; {_SECRET_KEYS[key]}."
        return f"{place}: there is no such setting; correct its name or remove it."
    if kind == "value_error":
        return f"{place}: {problem['msg'].removeprefix('Value error, ')}."
    if kind == "literal_error":
        expected = problem.get("ctx", {}).get("expected", "one of the documented values")
        return f"{place}: this value is not known; write {expected}."
    if kind == "string_pattern_mismatch":
        return f"{place}: {_pattern(key)}."
    return f"{place}: {_BY_TYPE.get(kind, problem['msg'][:1].lower() + problem['msg'][1:] + '; correct it')}."


def _pattern(key: str) -> str:
    if key.endswith("_env"):
        return (
            "this is not the name of an environment variable; write the name, such as SLACK_WEBHOOK_URL, not its value"
        )
    return "this name has characters that cannot be in one; use letters, digits, dots, dashes and underscores"
