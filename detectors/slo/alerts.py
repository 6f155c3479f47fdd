"""The ``alert`` of an SLO file read into a policy: a shipped or declared policy by name, or one written in place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final, TypeAlias, cast

import yaml

from detectors.slo.keys import ALERT_KEYS, PAIR_KEYS, SEQUENTIAL_KEYS, SEVERITIES
from detectors.slo.nodes import Reader, kind_of
from detectors.slo.policy import NO_ALERT, POLICY_NAMES, burn_factor, named_policy, short_window
from detectors.slo.spec import NO_POLICY, BurnPair, Policy, Sequential
from telemetry.findings import Severity
from telemetry.windows import BUCKET_NS, format_duration, parse_duration

DEFAULT_ARL_NS: Final = parse_duration("300d")
INLINE: Final = "inline"


Named: TypeAlias = Callable[[int], Policy]
"""A policy by name, to be scaled to an SLO's window (ns)."""
_NONE_DECLARED: Final[Mapping[str, Named]] = MappingProxyType({})


def read_alert(
    reader: Reader, node: yaml.Node, field: str, window_ns: int, declared: Mapping[str, Named] = _NONE_DECLARED
) -> Policy:
    """The policy; problems go to ``reader`` and leave it incomplete. ``declared``: the policies of the files."""
    if isinstance(node, yaml.SequenceNode):
        return _from_list(reader, node, field, window_ns)
    if isinstance(node, yaml.MappingNode):
        return _from_mapping(reader, node, field, window_ns, declared)
    name = reader.choice(node, field, [*POLICY_NAMES, NO_ALERT, *declared])
    return NO_POLICY if name is None else _named(name, window_ns, declared)


def _named(name: str, window_ns: int, declared: Mapping[str, Named]) -> Policy:
    return declared[name](window_ns) if name in declared else named_policy(name, window_ns)


def _from_list(reader: Reader, node: yaml.Node, field: str, window_ns: int) -> Policy:
    pairs: list[BurnPair] = []
    sequential: Sequential | None = None
    entries = reader.items(node, field) or []
    if not entries:
        reader.note(node, field, "is an empty list", "list burn pairs, or write none")
    for place, entry in entries:
        keys = [str(key.value) for key, _ in entry.value] if isinstance(entry, yaml.MappingNode) else []
        if keys == ["sequential"]:
            sequential = _sequential(reader, entry.value[0][1], f"{place}.sequential")
        else:
            pair = _pair(reader, entry, place, window_ns)
            pairs.extend([pair] if pair else [])
    return Policy(INLINE, tuple(pairs), sequential)


def _from_mapping(reader: Reader, node: yaml.Node, field: str, window_ns: int, declared: Mapping[str, Named]) -> Policy:
    values = reader.mapping(node, field, ALERT_KEYS) or {}
    policy = Policy(INLINE)
    if not values:
        reader.note(node, field, "says nothing", "name a policy, list burn pairs, or write none")
    if "policy" in values and "burn" in values:
        reader.note(values["burn"], f"{field}.burn", "stands beside a named policy", "keep policy or burn")
        del values["burn"]
    if "policy" in values:
        name = reader.choice(values["policy"], f"{field}.policy", [*POLICY_NAMES, *declared])
        policy = _named(name, window_ns, declared) if name else policy
    return policy_of(reader, values, field, window_ns, policy)


def policy_of(
    reader: Reader, values: Mapping[str, yaml.Node], field: str, window_ns: int, policy: Policy | None = None
) -> Policy:
    """``policy``, else one written in place, with the ``burn``, ``sequential`` and ``gate`` of ``values``."""
    policy = policy or Policy(INLINE)
    if "burn" in values:
        entries = reader.items(values["burn"], f"{field}.burn")
        if entries is not None and not entries:
            reader.note(values["burn"], f"{field}.burn", "is an empty list", "list burn pairs, or leave it out")
        read = [_pair(reader, entry, place, window_ns) for place, entry in entries or []]
        policy = replace(policy, pairs=tuple(pair for pair in read if pair))
    if "sequential" in values:
        off = kind_of(values["sequential"]) == "bool" and reader.switch(values["sequential"], field) is False
        sequential = None if off else _sequential(reader, values["sequential"], f"{field}.sequential")
        policy = replace(policy, sequential=sequential)
    if "gate" in values:
        gate = reader.switch(values["gate"], f"{field}.gate")
        policy = replace(policy, gate=gate is not False)
    return policy


def _pair(reader: Reader, node: yaml.Node, field: str, window_ns: int) -> BurnPair | None:
    values = reader.mapping(node, field, PAIR_KEYS)
    if values is None:
        return None
    severity = _severity(reader, values, field)
    long_ns = _window(reader, values, field, "long")
    short_ns = _window(reader, values, field, "short") if "short" in values else long_ns and short_window(long_ns)
    if ("factor" in values) == ("budget" in values):
        reader.note(node, field, "needs a factor or a budget, and not both", "write factor: 14.4 or budget: 2%")
        return None
    factor: float | None = None
    if "factor" in values:
        factor = reader.number(values["factor"], f"{field}.factor")
    else:
        share = reader.share(values["budget"], f"{field}.budget", "2%")
        factor = burn_factor(share, window_ns, long_ns) if share and long_ns else None
    if severity is None or long_ns is None or short_ns is None or factor is None:
        return None
    if short_ns > long_ns:
        reader.note(values["short"], f"{field}.short", "is longer than the long window", "use a twelfth of it")
        return None
    return BurnPair(severity, long_ns, short_ns, factor)


def _sequential(reader: Reader, node: yaml.Node, field: str) -> Sequential | None:
    values = reader.mapping(node, field, SEQUENTIAL_KEYS)
    if values is None:
        return None
    severity = _severity(reader, values, field) if "severity" in values else "page"
    arl_ns = reader.duration(values["arl"], f"{field}.arl") if "arl" in values else DEFAULT_ARL_NS
    if arl_ns is not None and arl_ns < parse_duration("1h"):
        reader.note(values["arl"], f"{field}.arl", "would raise a false alarm within the hour", "write 300d")
        return None
    return None if severity is None or arl_ns is None else Sequential(severity, arl_ns)


def _severity(reader: Reader, values: dict[str, yaml.Node], field: str) -> Severity | None:
    if "severity" not in values:
        return None
    return reader.choice(values["severity"], f"{field}.severity", cast("Sequence[Severity]", SEVERITIES))


def _window(reader: Reader, values: dict[str, yaml.Node], field: str, key: str) -> int | None:
    if key not in values:
        return None
    duration_ns = reader.duration(values[key], f"{field}.{key}")
    if duration_ns is not None and duration_ns % BUCKET_NS:
        message = f"{format_duration(duration_ns)} is not a multiple of 10s"
        reader.note(values[key], f"{field}.{key}", message, "telemetry is counted in buckets of 10s")
        return None
    return duration_ns
