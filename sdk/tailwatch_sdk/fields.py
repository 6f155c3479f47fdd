"""Declares a field of a call: the attribute it is sent as and the values it takes; refuses bad values quietly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, Protocol, TypeVar, overload

from tailwatch_sdk import notices, values

T = TypeVar("T")

# Past OpenTelemetry's own limits every further attribute costs a line in the host's log and an older attribute, so
# the SDK sets those limits (see client.py) beyond what these let through. Features get the larger share.
MAX_SET = 240
MAX_FEATURES = 1024


class Recording(Protocol):
    """Whatever fields can be declared on: it collects attributes until its span ends; only Field touches these."""

    _initial: Mapping[str, Any]
    _recorded: dict[str, Any]
    _ended: bool


class Field(Generic[T]):
    """A descriptor: assigning cleans the value and records it under the attribute; None takes it back.

    A value that the field does not take is dropped with one notice for each attribute, since telemetry must never
    fail the request that it describes.

    Args:
        attribute: The attribute's name on the span.
        clean: Returns the value to send or raises ValueError (see `tailwatch_sdk.values`).
        unit: `s`, `USD`, `1` or empty; for readers, not sent.
    """

    __slots__ = ("_clean", "attribute", "unit")

    def __init__(self, attribute: str, clean: Callable[[object], T], unit: str = "") -> None:
        self.attribute = attribute
        self.unit = unit
        self._clean = clean

    @overload
    def __get__(self, call: None, owner: type) -> Field[T]: ...
    @overload
    def __get__(self, call: Recording, owner: type) -> T | None: ...
    def __get__(self, call: Recording | None, owner: type) -> Field[T] | T | None:
        if call is None:
            return self
        recorded = call._recorded
        found: T | None = (recorded if self.attribute in recorded else call._initial).get(self.attribute)
        return found

    def __set__(self, call: Recording, value: T | None) -> None:
        if call._ended:
            late(self.attribute)
            return
        if value is None:
            call._recorded.pop(self.attribute, None)
            return
        try:
            call._recorded[self.attribute] = self._clean(value)
        except Exception as problem:  # noqa: BLE001  # conversions run the value's own code, which may raise anything
            refuse(self.attribute, problem)


def late(attribute: str) -> None:
    """Say once that an attribute was assigned when its span was already on its way."""
    notices.once(f"late:{attribute}", "%s was assigned after its call ended; such values are dropped.", attribute)


def put(
    recorded: dict[str, Any],
    attribute: str,
    value: object,
    clean: Callable[[object], Any],
    limit: int = MAX_SET,
) -> None:
    """Record `clean(value)` under `attribute`, unless it is None; drop the bad and the excess with one notice."""
    if value is None:
        return
    if len(recorded) >= limit and attribute not in recorded:
        notices.once(f"limit:{limit}", "%s is dropped, as is whatever else exceeds %d attributes.", attribute, limit)
        return
    try:
        recorded[attribute] = clean(value)
    except Exception as problem:  # noqa: BLE001  # as above
        refuse(attribute, problem)


def put_all(recorded: dict[str, Any], prefix: str, found: object, limit: int = MAX_SET) -> None:
    """Record every item of a mapping under `prefix` + its key; what is bad is dropped with one notice each."""
    try:
        items = list(found.items())  # type: ignore[attr-defined]  # not a mapping: the refusal says so
    except Exception:  # noqa: BLE001  # a mapping's items() is the application's code
        refuse(prefix or "attributes", ValueError(f"must be a mapping, got {type(found).__name__}"))
        return
    for name, value in items:
        if isinstance(name, str) and name:
            put(recorded, prefix + values.text(name), value, values.attribute, limit)
        else:
            refuse(prefix or "attributes", ValueError("has a key that is not a non-empty str"))


def refuse(attribute: str, problem: Exception) -> None:
    """Say once that an attribute's values are dropped, and why."""
    # Only our own ValueErrors are known to be free of the application's data.
    reason = str(problem) if isinstance(problem, ValueError) else f"raised {type(problem).__name__} when read"
    notices.once(f"value:{attribute}", "%s %s; such values are dropped.", attribute, reason)
