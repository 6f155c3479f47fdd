"""What Alertmanager writes otherwise in its configuration, put as Tailwatch writes it; it guesses nothing.

So that the content of an ``alertmanager.yml`` can stand under ``alerting:`` as it is: the legacy matchers
(``match``, ``match_re``, ``source_match``, ...), ``mute_time_intervals`` beside ``time_intervals``, ``global``, and the
receivers' ``slack_configs`` and the like, which are :mod:`alerting.alertmanager_receivers`'s matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Final

from alerting.alertmanager_receivers import GLOBALS, receiver_in_our_words
from alerting.config_problems import Path, Problems
from telemetry.errors import MatcherError
from telemetry.matchers import Matcher

UNUSED: Final = {
    "templates": "Tailwatch writes its messages itself; give a receiver template: for one of its own",
    "tracing": "Tailwatch traces nothing of its own",
    "event_recorder": "Tailwatch keeps what happens on the incident's timeline and in its audit log",
    "labels": "Tailwatch's routes and receivers have no labels",
    "name": "Tailwatch's rules have no names",
}
"""Keys of Alertmanager's that nothing here uses, and why nobody misses them."""

_INSTEAD: Final = "write matchers: ['name=\"value\"'] instead"


def in_our_words(document: Mapping[str, Any]) -> tuple[dict[str, Any], Problems]:
    """The section with every form of Alertmanager's as Tailwatch writes it, and what has no counterpart.

    What is not of the right type is left for the check of the section to name.
    """
    found = {str(key): value for key, value in document.items()}
    problems = Problems()
    _leave_out(found, ("templates", "tracing", "event_recorder"), (), problems)
    shared = _global(found, problems)
    if "mute_time_intervals" in found and isinstance(found["mute_time_intervals"] or [], list):
        found["time_intervals"] = [*(found.get("time_intervals") or []), *(found.pop("mute_time_intervals") or [])]
    if isinstance(found.get("route"), Mapping):
        found["route"] = _route(found["route"], ("route",), problems)
    for key, of_one in (("receivers", partial(_receiver, shared)), ("inhibit_rules", _inhibit_rule)):
        entries = found.get(key)
        if isinstance(entries, list):
            found[key] = [
                of_one(entry, (key, place), problems) if isinstance(entry, Mapping) else entry
                for place, entry in enumerate(entries)
            ]
    return found, problems


def _leave_out(found: dict[str, Any], keys: Iterable[str], path: Path, problems: Problems) -> None:
    problems.unused.extend(((*path, key), UNUSED[key]) for key in keys if found.pop(key, None))


def _global(found: dict[str, Any], problems: Problems) -> Mapping[str, Any]:
    """Take ``global:`` away; what receivers inherit from it."""
    shared = found.pop("global", None) or {}
    if not isinstance(shared, Mapping):
        problems.wrong.append((("global",), "this is not a mapping; write key: value pairs below it"))
        return {}
    if "resolve_timeout" in shared:
        found.setdefault("resolve_timeout", shared["resolve_timeout"])
    for key, value in shared.items():
        path = ("global", str(key))
        if key in GLOBALS or key == "resolve_timeout" or value in (None, ""):
            continue
        if key in UNUSED:
            problems.unused.append((path, UNUSED[key]))
        else:
            problems.wrong.append((path, "Tailwatch has no receiver that would use this; remove it"))
    return shared


def _receiver(shared: Mapping[str, Any], entry: Mapping[str, Any], path: Path, problems: Problems) -> dict[str, Any]:
    found = receiver_in_our_words(shared, entry, path, problems)
    _leave_out(found, ("labels",), path, problems)
    return found


def _route(node: Mapping[str, Any], path: Path, problems: Problems) -> dict[str, Any]:
    found = {str(key): value for key, value in node.items() if value is not None}
    _leave_out(found, ("labels",), path, problems)
    _modernise(found, "matchers", "match", path, problems)
    routes = found.get("routes")
    if isinstance(routes, list):
        found["routes"] = [
            _route(child, (*path, "routes", place), problems) if isinstance(child, Mapping) else child
            for place, child in enumerate(routes)
        ]
    return found


def _inhibit_rule(rule: Mapping[str, Any], path: Path, problems: Problems) -> dict[str, Any]:
    found = {str(key): value for key, value in rule.items() if value is not None}
    _leave_out(found, ("name",), path, problems)
    for side in ("source", "target"):
        _modernise(found, f"{side}_matchers", f"{side}_match", path, problems)
    return found


def _modernise(found: dict[str, Any], key: str, legacy: str, path: Path, problems: Problems) -> None:
    """Let the matchers of the two legacy keys stand in the list under ``key``."""
    old = [
        text
        for name, op in ((legacy, "="), (f"{legacy}_re", "=~"))
        for text in _texts(found.pop(name, None) or {}, op, (*path, name), problems)
    ]
    if old:
        present = found.get(key) or []
        found[key] = [*present, *old] if isinstance(present, list) else present


def _texts(labels: Any, op: str, path: Path, problems: Problems) -> Iterator[str]:
    if not isinstance(labels, Mapping):
        problems.wrong.append((path, f"this is not a mapping; {_INSTEAD}"))
        return
    for name, value in labels.items():
        if value is None or isinstance(value, list | Mapping):
            problems.wrong.append(((*path, str(name)), f"this label has no value; {_INSTEAD}"))
            continue
        text = str(value).lower() if isinstance(value, bool) else str(value)
        try:
            yield str(Matcher(str(name), op, text))
        except MatcherError as error:
            problems.wrong.append(((*path, str(name)), f"{error.what}; {error.remedy}"))
