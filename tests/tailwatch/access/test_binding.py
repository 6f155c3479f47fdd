"""Where a server may listen, by what has been decided about who may use it."""

from __future__ import annotations

import pytest

from tailwatch.access.binding import check_binding
from tailwatch.settings import load_settings
from telemetry.errors import ConfigError


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        ({"http": "0.0.0.0:4318"}, "http: 0.0.0.0:4318"),
        ({"http": "[::]:4318"}, "http: [::]:4318"),
        ({"http": "10.1.2.3:4318"}, "http: 10.1.2.3:4318"),
        ({"grpc": "0.0.0.0:4317"}, "grpc: 0.0.0.0:4317"),
    ],
)
def test_what_others_reach_needs_a_decision(settings: dict[str, str], where: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_binding(load_settings(overrides=settings), has_tokens=False)
    assert caught.value.where == where
    check_binding(load_settings(overrides=settings), has_tokens=True)
    for access in ("all", "none", "ingest,read"):
        check_binding(load_settings(overrides={**settings, "anonymous_access": access}), has_tokens=False)


@pytest.mark.parametrize("settings", [{}, {"http": "localhost:1", "grpc": ""}, {"http": "[::1]:1"}])
def test_this_machine_alone_needs_none(settings: dict[str, str]) -> None:
    check_binding(load_settings(overrides=settings), has_tokens=False)


@pytest.mark.parametrize(
    ("value", "scopes"),
    [
        ("all", {"ingest", "read", "respond", "admin"}), ("none", set()), ("ingest", {"ingest"}),
        ("ingest, respond", {"ingest", "read", "respond"}), (["ingest", "read"], {"ingest", "read"}),
    ],
)  # fmt: skip
def test_what_needs_no_token(value: object, scopes: set[str]) -> None:
    assert load_settings(overrides={"anonymous_access": value}).anonymous_scopes == scopes


@pytest.mark.parametrize("value", ["", "write", "all,read", ["none", "read"], 7, True, []])
def test_what_is_no_scope_is_refused(value: object) -> None:
    with pytest.raises(ConfigError, match="is not all, none, or some of ingest, read, respond, admin"):
        load_settings(overrides={"anonymous_access": value})
