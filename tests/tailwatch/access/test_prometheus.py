"""The real Prometheus: it scrapes /metrics with a token, over TLS, and posts alerts as to an Alertmanager."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.external import require_program
from tests.tailwatch.access.certificates import Authority
from tests.tailwatch.access.house import House, wait_for

RULES = """
groups:
  - name: tests
    interval: 1s
    rules:
      - alert: AlwaysFiring
        expr: vector(1)
        labels: {service: prometheus, severity: ticket}
"""


@pytest.fixture
def prometheus(house: House, authority: Authority, tmp_path: Path) -> Iterator[httpx.Client]:
    """Its API; each job asks in a way of its own."""
    program = require_program("prometheus", "prometheus")
    for name, secret in house.secrets.items():
        (tmp_path / name).write_text(secret + "\n")
    common = {
        "scheme": "https",
        "tls_config": {"ca_file": str(authority.ca_file)},
        "static_configs": [{"targets": [house.running.url.removeprefix("https://")]}],
    }
    jobs: dict[str, dict[str, Any]] = {
        "authorization": {"authorization": {"credentials_file": "read"}},
        "bearer": {"bearer_token_file": "respond"},
        "without": {},
        "ingest": {"authorization": {"credentials_file": "ingest"}},
        "stranger": {"authorization": {"credentials_file": "read"}, "tls_config": {}},
    }
    config = {
        "global": {"scrape_interval": "3s", "scrape_timeout": "3s", "evaluation_interval": "1s"},
        "scrape_configs": [{"job_name": name, **common, **more} for name, more in jobs.items()],
        "rule_files": ["rules.yml"],
        "alerting": {"alertmanagers": [{**common, "authorization": {"credentials_file": "ingest"}}]},
    }
    (tmp_path / "rules.yml").write_text(RULES)
    (tmp_path / "prometheus.yml").write_text(json.dumps(config))
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                program, "--config.file=prometheus.yml", "--storage.tsdb.path=data", f"--web.listen-address={address}",
                # it drops what fires before it has found its Alertmanagers, and would wait a minute to tell it again
                "--rules.alert.resend-delay=1s",
            ],
            cwd=tmp_path, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        with httpx.Client(base_url=f"http://{address}/api/v1", timeout=30) as client:
            yield client
    finally:
        process.kill()
        process.wait()


def health(prometheus: httpx.Client) -> dict[str, str]:
    """The reason why the last scrape of each job failed; empty where it did not."""
    try:
        answer = prometheus.get("/targets")
    except httpx.TransportError:
        return {}
    targets = answer.json()["data"]["activeTargets"] if answer.is_success else []
    return {one["labels"]["job"]: one["lastError"].rpartition(": ")[2] for one in targets if one["health"] != "unknown"}


def test_it_scrapes_with_a_token_that_may_read_and_posts_alerts_with_one_that_may_ingest(
    house: House, prometheus: httpx.Client
) -> None:
    wait_for(
        lambda: health(prometheus),
        {
            "authorization": "", "bearer": "",
            "without": "server returned HTTP status 401 Unauthorized",
            "ingest": "server returned HTTP status 403 Forbidden",
            "stranger": "certificate signed by unknown authority",
        },
    )  # fmt: skip

    def queried(expression: str) -> dict[str, float]:
        found = prometheus.get("/query", params={"query": expression}).json()["data"]["result"]
        return {one["metric"]["job"]: float(one["value"][1]) for one in found}

    wait_for(lambda: queried("up"), {"authorization": 1, "bearer": 1, "without": 0, "ingest": 0, "stranger": 0})
    assert set(queried("tailwatch_evaluations_total > 0")) == {"authorization", "bearer"}
    wait_for(lambda: [one["labels"]["alertname"] for one in posted(house)], ["AlwaysFiring"])


def posted(house: House) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = house.ask(
        "GET", "/api/v2/alerts", "read", params={"filter": "service=prometheus"}
    ).json()
    return found
