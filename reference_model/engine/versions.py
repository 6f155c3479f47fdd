"""Which version of a model answers a request: traffic split, shadow and rollback. It loads nothing.

A split is kept to as a load balancer does it, by smooth weighted round robin (nginx): among however few requests
a version has its share to within two. A canary is judged on fewer requests than one whose share is left to chance.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from reference_model.errors import InvalidRequestError, UnknownModelError


@dataclass(frozen=True, slots=True)
class Split:
    """Share of the traffic of each version, summing to 1, and a version that answers a copy of every request."""

    shares: Mapping[str, float]
    shadow: str | None = None


@dataclass(slots=True)
class ModelRoute:
    """A model, the versions that exist of it, the present split, and those before it (latest last).

    ``owed``: requests that each version of the present split is due, negative for one that is ahead; they sum to 0.
    """

    model: str
    versions: tuple[str, ...]
    split: Split
    history: list[Split] = field(default_factory=list)
    owed: dict[str, float] = field(default_factory=dict)

    def change(self, split: Split) -> None:
        """Splits from now on as ``split`` says; what was owed before is forgotten."""
        self.split = split
        self.owed = {}

    def next_version(self) -> str:
        """The version whose turn it is."""
        for version, share in self.split.shares.items():
            self.owed[version] = self.owed.get(version, 0.0) + share
        chosen = max(self.split.shares, key=self.owed.__getitem__)
        self.owed[chosen] -= 1.0
        return chosen


class VersionRouter:
    """The models that this service offers; each begins with its first version alone."""

    def __init__(self, models: Mapping[str, tuple[str, ...]]) -> None:
        self.routes = {
            model: ModelRoute(model, versions, Split({versions[0]: 1.0})) for model, versions in models.items()
        }

    def route(self, model: str) -> ModelRoute:
        """The route of ``model``. Raises UnknownModelError."""
        route = self.routes.get(model)
        if route is None:
            offered = ", ".join(sorted(self.routes))
            raise UnknownModelError(f"There is no model {model!r} here; this service offers {offered}.", "model")
        return route

    def choose(self, model: str) -> tuple[str, str]:
        """(model name, version) for ``model`` or ``model@version``, the latter pinning a version."""
        name, _, pinned = model.partition("@")
        route = self.route(name)
        if pinned:
            self.check_versions(name, [pinned])
            return name, pinned
        return name, route.next_version()

    def shadow(self, model: str) -> str | None:
        """The version that should answer a copy of a request to ``model``, if any."""
        return self.route(model).split.shadow

    def set_split(self, model: str, shares: Mapping[str, float], shadow: str | None = None) -> Split:
        """Splits the traffic of ``model`` in proportion to ``shares``. Raises InvalidRequestError on bad numbers."""
        route = self.route(model)
        self.check_versions(model, [*shares, *([shadow] if shadow else [])])
        total = sum(shares.values())
        if total <= 0 or any(share < 0 for share in shares.values()):
            raise InvalidRequestError("Shares must not be negative and must not all be 0.", "shares")
        route.history.append(route.split)
        route.change(Split({version: share / total for version, share in shares.items() if share}, shadow))
        return route.split

    def rollback(self, model: str, version: str | None = None) -> Split:
        """Returns to the split before the present one; with ``version``, to the last one that lacks it.

        With a version the answer to a repeated request is the same: what is not served is not rolled back twice.
        Raises InvalidRequestError when there is no such split.
        """
        route = self.route(model)
        if version is not None:
            self.check_versions(model, [version])
            if version not in route.split.shares:
                return route.split
        earlier = [split for split in route.history if version is None or version not in split.shares]
        if not earlier:
            raise InvalidRequestError(f"{model} has had no other traffic split; there is nothing to roll back to.")
        while route.split is not earlier[-1]:
            route.change(route.history.pop())
        return route.split

    def check_versions(self, model: str, versions: Iterable[str]) -> None:
        """Raises UnknownModelError when ``model`` lacks one of ``versions``."""
        known = self.route(model).versions
        for version in versions:
            if version not in known:
                raise UnknownModelError(f"{model} has no version {version!r}; it has {', '.join(known)}.", "model")
