"""The real dashboard over the real service in a real browser: from sent telemetry to an acknowledged incident."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import BrowserContext, expect

from tests.dashboard.conftest import browser, free_port, start_dashboard
from tests.dashboard.test_pages import tile
from tests.tailwatch.declared import AVAILABILITY
from tests.tailwatch.running import serving, traces, write_config

__all__ = ["browser"]  # the fixture


def test_an_incident_is_shown_with_its_runbook_and_acknowledged(
    tmp_path: Path, browser: Callable[[str], BrowserContext]
) -> None:
    config = write_config(tmp_path, {}, f"version: 1\nslos:{AVAILABILITY}")
    with serving(config) as running:
        port = free_port()
        dashboard = start_dashboard(port, running.url, tmp_path / "dashboard.log")
        try:
            assert running.send(traces(300, end_ns=time.time_ns(), bad=200)).status_code == 200
            found = running.wait_for("/api/v1/incidents", lambda answer: answer["incidents"])["incidents"]
            incident = running.get(f"/api/v1/incidents/{found[0]['id']}")
            page = browser(f"http://127.0.0.1:{port}").new_page()
            page.goto("/incidents")
            expect(page.get_by_text(incident["title"]).first).to_be_visible()
            page.goto(f"/incidents?incident={incident['id']}")
            expect(page.get_by_text("How to tell").first).to_be_visible()
            page.get_by_label("Your name").fill("Ada")
            page.get_by_label("Your name").press("Enter")
            page.get_by_role("button", name="Acknowledge").click()
            path = f"/api/v1/incidents/{incident['id']}"
            after = running.wait_for(path, lambda answer: answer["status"] == "acknowledged")
            assert "Ada" in {event["author"] for event in after["timeline"]}
            expect(tile(page, "Status")).to_have_text("Acknowledged")
            assert page.locator('[data-testid="stException"]').all_inner_texts() == []
            page.close()
        finally:
            dashboard.send_signal(signal.SIGTERM)
            assert dashboard.wait(30) == 0
        assert running.terminate() == 0
