"""Routes, inhibition rules and time intervals against the real amtool: what it takes, and whom it would tell."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest
import yaml

from alerting.routing import destinations
from tests.alerting.makers import parse
from tests.external import require_program

NAMES = ("a", "b", "c", "d")
LABELS = {"severity": ("page", "ticket"), "service": ("chat", "search", "chat-2"), "team": ("x", "y")}
MATCHERS = (
    'severity="page"', 'severity!="page"', 'service="chat"', 'service=~"chat.*"', 'service=~"chat|search"',
    'service!~"chat"', 'team="x"', 'team=""', 'team!=""', 'team="x",service!="chat"', '{severity=page, team=~"x|y"}',
)  # fmt: skip


@pytest.fixture(scope="module")
def amtool() -> str:
    return require_program("amtool", "prometheus-alertmanager")


def tree(chance: random.Random, depth: int) -> dict:
    node: dict = {"matchers": chance.sample(MATCHERS, chance.randint(0, 2))}
    if chance.random() < 0.2:
        node["match"] = {"severity": chance.choice(LABELS["severity"])}
    if chance.random() < 0.2:
        node["match_re"] = {"service": "^(chat|search)$"}
    if chance.random() < 0.7:
        node["receiver"] = chance.choice(NAMES)
    if chance.random() < 0.3:
        node["continue"] = True
    if depth:
        node["routes"] = [tree(chance, depth - 1) for _ in range(chance.randint(0, 3))]
    return node


def document(route: dict, **more) -> tuple[dict, dict]:
    """The same section for Tailwatch and for Alertmanager."""
    ours = [{"name": name, "webhook": {"url": "http://127.0.0.1/x"}} for name in NAMES]
    theirs = [{"name": name} for name in NAMES]
    return {"receivers": ours, "route": route, **more}, {"receivers": theirs, "route": route, **more}


def run(amtool: str, path: Path, *arguments: str) -> str:
    done = subprocess.run([amtool, *arguments], capture_output=True, text=True, check=False, cwd=path)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


@pytest.mark.parametrize("seed", range(25))
def test_the_receivers_are_those_that_amtool_names(amtool, tmp_path, seed):
    chance = random.Random(seed)
    root = {"receiver": "a", "routes": [tree(chance, 2) for _ in range(chance.randint(1, 4))]}
    ours, theirs = document(root)
    (tmp_path / "alertmanager.yml").write_text(yaml.safe_dump(theirs))
    parsed = parse(ours).route
    assert parsed is not None
    for _ in range(4):
        labels = {name: chance.choice(values) for name, values in LABELS.items() if chance.random() < 0.8}
        said = run(
            amtool, tmp_path, "config", "routes", "test", "--config.file=alertmanager.yml",
            *(f"{name}={value}" for name, value in labels.items()),
        )  # fmt: skip
        expected = [part.strip() for part in said.strip().split(",")]
        found = list(dict.fromkeys(one.receiver for one in destinations(parsed, labels, "INC-1")))
        assert found == list(dict.fromkeys(expected)), (labels, yaml.safe_dump(root))


def test_amtool_takes_the_same_intervals_and_inhibition_rules(amtool, tmp_path):
    times = [
        {
            "times": [{"start_time": "00:00", "end_time": "08:00"}, {"start_time": "20:00", "end_time": "24:00"}],
            "weekdays": ["monday:friday", "sunday"], "days_of_month": ["1:5", "-3:-1"],
            "months": ["january:march", "5", "november:december"], "years": ["2026:2028", "2030"],
            "location": "Europe/Berlin",
        }
    ]  # fmt: skip
    ours, theirs = document(
        {
            "receiver": "a",
            "routes": [{"receiver": "b", "mute_time_intervals": ["off"], "active_time_intervals": ["off"]}],
        },
        inhibit_rules=[
            {"source_matchers": ['severity="page"'], "target_matchers": ['severity="ticket"'], "equal": ["service"]}
        ],
        time_intervals=[{"name": "off", "time_intervals": times}],
    )
    (tmp_path / "alertmanager.yml").write_text(yaml.safe_dump(theirs))
    said = run(amtool, tmp_path, "check-config", "alertmanager.yml")
    assert "SUCCESS" in said
    assert "1 inhibit rules" in said
    parsed = parse(ours)
    assert parsed.route is not None
    assert [interval.name for interval in parsed.route.routes[0].muted_in] == ["off"]
    assert len(parsed.inhibit_rules) == 1
