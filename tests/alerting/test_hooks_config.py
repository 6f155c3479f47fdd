"""The section of response hooks: what it accepts, and what it says of everything else, with file, line and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from alerting.config import check_receivers, parse_alerting
from alerting.hooks.hook import is_allowed
from alerting.secret_references import SecretReference
from tailwatch.cli import main
from telemetry.errors import ConfigError
from telemetry.windows import NANOS

GOOD = """\
alerting:
  hooks:
    allow: ["deploy.example.com", "127.0.0.1:8600"]
    actions:
      - name: rollback
        on: [verdict, open]
        match: ['cause="bad-release"']
        url: http://127.0.0.1:8600/admin/rollback
        secret_headers: {X-Api-Key: {env: DEPLOY_KEY}}
        secret_file: secrets/hook
        body: '{"x": {{ incident.id | tojson }}}'
        timeout: 5s
      - {name: page-someone, url_env: OTHER_URL, method: PUT}
"""


def parse(text, folder=Path("/etc/tailwatch"), file=None):
    return parse_alerting(yaml.safe_load(text)["alerting"], folder=folder, file=file)


def test_a_section_becomes_values():
    rules = parse(GOOD).hooks
    first, second = rules.hooks
    assert (first.on, first.min_confidence, first.timeout_s, first.expires_ns) == (
        ("verdict", "open"),
        0.8,
        5.0,
        600 * NANOS,
    )
    assert first.secret == SecretReference("file", "/etc/tailwatch/secrets/hook")
    assert first.headers == {"X-Api-Key": SecretReference("env", "DEPLOY_KEY")}
    assert first.target == "POST http://127.0.0.1:8600/admin/rollback"
    assert second.target == "PUT the URL in the environment variable OTHER_URL"
    assert (second.on, rules.allow) == ((), ("deploy.example.com", "127.0.0.1:8600"))


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("[verdict, open]", "[deploy]", 6, "actions[0].on[0]: this value is not known; write 'open', 'acknowledge'"),
        ("'cause=\"bad-release\"'", "'cause bad'", 7, "actions[0].match: "),
        ("http://127.0.0.1:8600/admin", "http://10.0.0.9/admin", 2, "calls a host that is not in allow"),
        ("http://127.0.0.1:8600/admin", "http://{{ slice.x }}/admin", 8, "an address is no template"),
        ("http://127.0.0.1:8600/admin", "http://u:p@127.0.0.1:8600/admin", 8, "holds credentials"),
        ("{X-Api-Key: {env: DEPLOY_KEY}}", "{X-Api-Key: {}}", 9, "exactly one of env, file is needed"),
        ("secret_headers: {X-Api-Key: {env: DEPLOY_KEY}}", "headers: {X-Api-Key: abc}", 9, "X-Api-Key holds a secret"),
        ("secret_headers: {X-Api-Key: {env: DEPLOY_KEY}}", "headers: {Host: abc}", 9, "Host is written by Tailwatch"),
        ("secret_file: secrets/hook", "secret: s3cret", 10, "secrets may not stand in this file"),
        ("incident.id | tojson }}", "incident.id | tojson", 11, "this is not a template"),
        ("{{ incident.id | tojson }}", "{% include 1 %}", 11, "may not hold this (include)"),
        ("timeout: 5s", "timeout: 5m", 12, "between 100ms and 25s"),
        ("timeout: 5s", "time_out: 5s", 12, "there is no such setting"),
        ("page-someone", "rollback", 2, "two hooks are named 'rollback'"),
        ("method: PUT", "method: TRACE", 13, "this value is not known"),
        ("method: PUT", "method: GET, body: x", 13, "GET sends no body"),
        ("method: PUT", "approval: true", 13, "nothing asks for approval without an event"),
        ("method: PUT", "min_confidence: 0.5", 13, "min_confidence is about verdicts"),
        ("method: PUT", "on: [open]", 13, "a hook without match would run for every incident"),
        ("url_env: OTHER_URL, ", "", 13, "exactly one of url, url_env, url_file is needed"),
        ('allow: ["deploy.example.com", "127.0.0.1:8600"]', "enabled: true", 2, "no host may be called"),
        ('"deploy.example.com"', '"https://deploy.example.com/x"', 3, "allow[0]: "),
    ],
)  # fmt: skip
def test_every_fault_is_said_with_file_line_and_remedy(tmp_path, old, new, line, says):
    assert old in GOOD
    file = tmp_path / "tailwatch.yaml"
    file.write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        parse(file.read_text(encoding="utf-8"), tmp_path, file)
    said = str(caught.value)
    assert f"{file}:{line}: alerting.hooks" in said
    assert says in said
    assert "s3cret" not in said
    assert "u:p" not in said


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://deploy.example.com/x", True), ("https://deploy.example.com:443/x", True),
        ("http://deploy.example.com/x", True), ("http://127.0.0.1:8600", True), ("https://DEPLOY.example.com/", True),
        ("https://deploy.example.com:8443/x", False), ("http://127.0.0.1/", False), ("http://127.0.0.1:86000/", False),
        ("https://deploy.example.com.evil.example/", False), ("https://deploy.example.com@evil.example/", False),
        ("https://evil.example/deploy.example.com", False), ("https://evil.example#deploy.example.com", False),
        ("ftp://deploy.example.com/", False), ("//deploy.example.com/", False), ("", False), ("http://[::1", False),
    ],
)  # fmt: skip
def test_only_listed_hosts_are_called(url, allowed):
    assert is_allowed(url, ("deploy.example.com", "127.0.0.1:8600")) is allowed


def test_missing_secrets_and_foreign_addresses_are_warned_of(tmp_path, monkeypatch):
    monkeypatch.setenv("OTHER_URL", "https://elsewhere.example.com/")
    problems = [str(problem) for problem in check_receivers(parse(GOOD, tmp_path))]
    assert any("hook rollback" in one and "secrets/hook cannot be read" in one for one in problems)
    assert any("hook page-someone" in one and "hooks may not call" in one for one in problems)
    assert not any("elsewhere" in one for one in problems)


def test_the_command_says_which_hooks_would_run(tmp_path):
    file = tmp_path / "tailwatch.yaml"
    file.write_text(GOOD.replace("timeout: 5s", "dry_run: true"), encoding="utf-8")
    command = ["--config", str(file), "alerts", "test-route"]
    found = CliRunner().invoke(main, [*command, "cause=bad-release", "service=chat"]).output
    assert "hook rollback  POST http://127.0.0.1:8600/admin/rollback" in found
    assert "on verdict, open, from a confidence of 0.8; at most 1 an incident and 3 an hour" in found
    assert "nothing is sent: dry_run is on" in found
    assert "hook page-someone" in found
    assert "hook rollback" not in CliRunner().invoke(main, [*command, "cause=slice-errors"]).output
    listed = CliRunner().invoke(main, ["--config", str(file), "alerts", "lint"])
    assert "hook rollback: POST http://127.0.0.1:8600/admin/rollback on verdict, open" in listed.output
