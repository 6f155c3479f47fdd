"""What an ``alerting:`` section says correctly but cannot mean; it reports, and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, get_args
from urllib.parse import urlsplit

from alerting.config import AlertingConfig, check_receivers
from alerting.inhibition import InhibitRule
from alerting.receivers.trust import literal_address
from alerting.routing import Route
from telemetry.errors import ConfigError
from telemetry.findings import Severity
from telemetry.matchers import Matchers

_SEVERITIES: Final[tuple[str, ...]] = get_args(Severity)


def lint(config: AlertingConfig) -> list[ConfigError]:
    """Every warning: missing secrets, receivers and routes that nothing reaches, rules that quiet too much."""
    found = [*check_receivers(config), *_private(config), *_inhibitions(config.inhibit_rules)]
    found.extend(
        ConfigError(f"this is not used: {why}", where=place, remedy="nothing needs to be done")
        for place, why in config.unused
    )
    found.extend(
        ConfigError("it tells nobody", where=f"receiver {name}", remedy="give it a way to be told, if it should")
        for name in config.unheard
    )
    if config.route is not None:
        found.extend(_unreachable(config.route, "alerting.route"))
        reached = {*_receivers(config.route), *(escalation.receiver for escalation in config.escalations)}
        found.extend(
            ConfigError("no route leads to it", where=f"receiver {name}", remedy="name it in a route, or remove it")
            for name in config.receiver_names if name not in reached
        )  # fmt: skip
    return found


def _private(config: AlertingConfig) -> Iterator[ConfigError]:
    """Receivers at addresses that are not called; of names only that of this machine is known without asking."""
    for receiver in config.receivers:
        url = getattr(receiver, "url", None)
        if not isinstance(url, str):
            continue
        host = urlsplit(url).hostname or ""
        address = "127.0.0.1" if host == "localhost" else literal_address(host)
        if address is not None and not config.trust.permit(address):
            what = f"its address {address} is not public, and such addresses are called only where that is allowed"
            remedy = f"write allow_private: [{address}] beside receivers:, or the network it is in"
            yield ConfigError(what, where=f"receiver {receiver.id}", remedy=remedy)


def _receivers(route: Route) -> Iterator[str]:
    """Receivers that the tree can lead to; a node whose children take everything tells nobody itself."""
    if not any(not child.matchers.items for child in route.routes):
        yield route.receiver
    for child in route.routes:
        yield from _receivers(child)


def _unreachable(route: Route, where: str) -> Iterator[ConfigError]:
    taken: int | None = None
    for place, child in enumerate(route.routes):
        here = f"{where}.routes[{place}]"
        if taken is not None:
            what = f"is never reached: routes[{taken}] before it takes every alert"
            yield ConfigError(what, where=here, remedy="write continue: true there, or put this one first")
        yield from _severities(child.matchers, here)
        yield from _unreachable(child, here)
        if not child.matchers.items and not child.go_on:
            taken = place if taken is None else taken


def _inhibitions(rules: tuple[InhibitRule, ...]) -> Iterator[ConfigError]:
    for place, rule in enumerate(rules):
        where = f"alerting.inhibit_rules[{place}]"
        yield from _severities(rule.source, where)
        yield from _severities(rule.target, where)
        if not rule.equal:
            what = "has no equal: one source anywhere keeps every target quiet"
            yield ConfigError(what, where=where, remedy="write equal: [service], or whatever the two must share")


def _severities(matchers: Matchers, where: str) -> Iterator[ConfigError]:
    for matcher in matchers.items:
        if matcher.name == "severity" and not any(matcher.accepts(severity) for severity in _SEVERITIES):
            remedy = f"write one of {', '.join(_SEVERITIES)}"
            yield ConfigError(f"{matcher} accepts no alert of Tailwatch's", where=where, remedy=remedy)
