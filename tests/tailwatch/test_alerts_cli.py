"""``tailwatch alerts``: what it warns of, and whom it names."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from tailwatch.cli import main

CONFIG = """
alerting:
  allow_private: [127.0.0.1]
  receivers:
    - {name: oncall, webhook: {url: http://127.0.0.1:9/x}}
    - {name: tickets, slack: {webhook_url_env: NO_SUCH_VARIABLE_OF_THE_TESTS}}
    - {name: nobody, webhook: {url: http://127.0.0.1:9/z}}
  inhibit_rules:
    - {source_matchers: ['severity="critical"'], target_matchers: ['service="chat"']}
  time_intervals:
    - {name: always, time_intervals: [{years: ['1970:9999']}]}
  route:
    receiver: oncall
    routes:
      - {matchers: ['severity="ticket"'], receiver: tickets, mute_time_intervals: [always], group_by: [service]}
      - {receiver: oncall}
      - {matchers: ['team="x"'], receiver: oncall}
"""


@pytest.fixture
def tailwatch(tmp_path):
    path = tmp_path / "tailwatch.yaml"
    path.write_text(CONFIG)

    def run(*arguments):
        return CliRunner().invoke(main, ["--config", str(path), "alerts", *arguments])

    return run


def test_lint_names_what_cannot_be_meant(tailwatch):
    done = tailwatch("lint")
    assert done.exit_code == 0
    assert done.output.splitlines() == [
        (
            "warning: receiver tickets/slack: the environment variable NO_SUCH_VARIABLE_OF_THE_TESTS is not set. "
            "set it before the start"
        ),
        (
            'warning: alerting.inhibit_rules[0]: severity="critical" accepts no alert of Tailwatch\'s. '
            "write one of page, ticket"
        ),
        (
            "warning: alerting.inhibit_rules[0]: has no equal: one source anywhere keeps every target quiet. "
            "write equal: [service], or whatever the two must share"
        ),
        (
            "warning: alerting.route.routes[2]: is never reached: routes[1] before it takes every alert. "
            "write continue: true there, or put this one first"
        ),
        "warning: receiver nobody: no route leads to it. name it in a route, or remove it",
        "3 receivers, 5 warnings",
    ]
    assert tailwatch("lint", "--strict").exit_code == 1


def test_a_configuration_of_alertmanagers_is_checked_where_it_lies(tailwatch, tmp_path):
    file = tmp_path / "alertmanager.yml"
    file.write_text("templates: ['*.tmpl']\nroute: {receiver: a}\nreceivers:\n  - name: a\n")
    done = tailwatch("lint", str(file))
    assert done.exit_code == 0
    assert done.output.splitlines()[-1] == "1 receiver, 2 warnings"
    assert f"warning: {file}:1: templates: this is not used" in done.output
    file.write_text(f"{file.read_text()}    discord_configs: [{{webhook_url: https://discord.com/s3cr3t}}]\n")
    done = tailwatch("lint", str(file))
    assert done.exit_code == 2
    assert f"{file}:5: receivers[0].discord_configs: Tailwatch does not tell Discord itself" in done.output
    assert "s3cr3t" not in done.output
    file.write_text("receivers:\n  - {name: a, slack_configs: [{api_url: 'https://hooks.slack.com/s3cr3t}]}\n")
    done = tailwatch("lint", str(file))
    assert (done.exit_code, f"{file}:3: not YAML" in done.output, "s3cr3t" in done.output) == (2, True, False)
    assert "nothing.yml: the configuration file does not exist. check FILE" in tailwatch("lint", "nothing.yml").output


def test_a_section_that_cannot_be_used_is_refused(tmp_path):
    path = tmp_path / "tailwatch.yaml"
    path.write_text(CONFIG.replace("mute_time_intervals: [always]", "mute_time_intervals: [alway]"))
    done = CliRunner().invoke(main, ["--config", str(path), "alerts", "lint"])
    assert done.exit_code == 2
    assert "names 'alway', which is no time interval (always); define it or correct the name" in done.output


def test_the_route_says_who_when_and_what_keeps_it_quiet(tailwatch):
    done = tailwatch("test-route", "severity=ticket", "service=chat")
    assert done.exit_code == 0
    assert done.output.splitlines() == [
        'tickets  {}/{severity="ticket"}',
        "    grouped by incident, service; told after 0s, of more alerts every 5m, reminded every 4h",
        "    muted now: always",
        'quiet while an alert {severity="critical"} fires (inhibit_rules[0])',
    ]
    assert tailwatch("test-route", "severity=page").output.startswith("oncall  {}/{}\n")


def test_a_label_needs_an_equals_sign(tailwatch):
    done = tailwatch("test-route", "severity")
    assert done.exit_code == 2
    assert "'severity' is not a label: write NAME=VALUE" in done.output
