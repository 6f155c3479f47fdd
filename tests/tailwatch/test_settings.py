"""Settings come from file and environment, and every fault is one sentence with place and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from tailwatch.settings import Settings, load_settings, unknown_variables
from telemetry.errors import ConfigError
from telemetry.windows import NANOS


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"TAILWATCH_{name.upper()}", raising=False)
    monkeypatch.delenv("TAILWATCH_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_without_file_and_environment_the_defaults_hold() -> None:
    settings = load_settings()
    assert settings.http_address.host == "127.0.0.1"
    assert settings.http_address.port == 4318
    assert settings.grpc_address is not None
    assert settings.grpc_address.port == 4317
    assert settings.raw_retention == 7 * 86400 * NANOS
    assert settings.url == "sqlite:///tailwatch-data/tailwatch.db"


def test_paths_of_the_file_are_relative_to_the_file(tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    path = write(folder / "tw.yaml", "slos: [slos/*.yaml]\nprices: prices.yaml\ndata_dir: data\n")
    settings = load_settings(path)
    assert settings.slos == (str(folder / "slos/*.yaml"),)
    assert settings.prices == folder / "prices.yaml"
    assert settings.data_dir == folder / "data"


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "tw.yaml", "http: 127.0.0.1:1\nraw_retention: 1d\n")
    monkeypatch.setenv("TAILWATCH_CONFIG", str(path))
    monkeypatch.setenv("TAILWATCH_HTTP", "0.0.0.0:9000")
    monkeypatch.setenv("TAILWATCH_RAW_RETENTION", "0")
    settings = load_settings()
    assert settings.http == "0.0.0.0:9000"
    assert settings.raw_retention == 0


def test_an_ipv6_address_is_read() -> None:
    settings = load_settings(overrides={"http": "[::1]:4318"})
    assert (settings.http_address.host, settings.http_address.port) == ("::1", 4318)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("slo: [a.yaml]\n", "unknown key slo. did you mean slos?"),
        ("http: localhost\n", "http: 'localhost' is not host:port"),
        ("http: localhost:99999\n", "is not host:port"),
        ("raw_retention: tomorrow\n", "raw_retention: 'tomorrow' is not a duration"),
        ("max_groups: 0\n", "max_groups: Input should be greater than or equal to 1"),
        ("evaluation_interval: 1ms\n", "at least 100ms"),
        ("slos: {a: b}\n", "slos must be a list of paths"),
        ("- a\n", "the configuration must be a mapping"),
        ("1: a\n", "the configuration must be a mapping"),
        ("a: [b\n", "not YAML"),
        ("a: \0\n", "not YAML"),
        ("http: ''\n", "cannot do without this address"),
        ("http: '[::1]:²'\n", "is not host:port"),
    ],
)
def test_faults_name_place_and_remedy(tmp_path: Path, text: str, expected: str) -> None:
    path = write(tmp_path / "tw.yaml", text)
    with pytest.raises(ConfigError) as caught:
        load_settings(path)
    assert expected in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_fault_of_the_environment_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAILWATCH_GRPC", "nonsense")
    with pytest.raises(ConfigError, match=r"^TAILWATCH_GRPC: grpc: 'nonsense' is not host:port"):
        load_settings()


def test_a_list_in_the_environment_is_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAILWATCH_SLOS", '["a.yaml", "b.yaml"]')
    assert load_settings().slos == ("a.yaml", "b.yaml")
    monkeypatch.setenv("TAILWATCH_SLOS", "slos/*.yaml")
    with pytest.raises(ConfigError, match=r'slos.*TAILWATCH_SLOS=\["slos/'):
        load_settings()


def test_a_missing_file_that_was_named_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        load_settings(tmp_path / "missing.yaml")


def test_misspelt_variables_are_named_and_foreign_ones_are_not() -> None:
    environment = {"TAILWATCH_DATADIR": "x", "TAILWATCH_PORT_4318_TCP": "tcp://10.0.0.1:4318", "PATH": ""}
    assert unknown_variables(environment) == [
        "environment variable TAILWATCH_DATADIR is not a setting; did you mean TAILWATCH_DATA_DIR?"
    ]
