"""What an operator reads when the service is down, refuses, or answers nonsense: one sentence, never a traceback."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.dashboard.service import RecordedService, Running


def sentence(page: Page) -> Locator:
    return page.locator('[data-testid="stAlert"]')


def test_a_service_that_is_down_is_one_sentence_and_comes_back_by_itself(page: Page, running: Running) -> None:
    running.stop()
    try:
        page.goto("/")
        expect(sentence(page)).to_have_count(1)
        expect(sentence(page)).to_contain_text(f"No Tailwatch service answers at {running.service.url}")
        expect(sentence(page)).to_contain_text("start it, or set TAILWATCH_URL to where it listens.")
        page.get_by_role("link", name="Traces").click()
        expect(page).to_have_url(re.compile("/traces$"))
        expect(sentence(page)).to_have_count(1)
        page.go_back()
    finally:
        running.start()
    expect(page.locator(".st-key-grid-slos tbody tr")).to_have_count(7)
    expect(sentence(page)).to_have_count(0)


def test_a_malformed_answer_is_one_sentence_and_the_rest_stands(page: Page, service: RecordedService) -> None:
    service.broken["/api/v1/slos"] = json.dumps({"slos": [{"name": "a", "objective": 0.99}]})
    page.goto("/")
    expect(sentence(page)).to_have_count(1)
    expect(sentence(page)).to_contain_text("(slos[0].groups: Field required)")
    expect(page.locator('[data-tile="Open incidents"] .value')).to_have_text("1")


def test_the_service_speaks_for_itself_when_it_refuses(page: Page, service: RecordedService) -> None:
    error = {"what": "the database is locked", "where": "tailwatch.db", "remedy": "stop the other process"}
    service.failing["/api/v1/incidents"] = (503, json.dumps({"error": error}))
    page.goto("/incidents")
    expect(sentence(page)).to_contain_text("the database is locked (tailwatch.db); stop the other process.")


def test_a_missing_token_is_said(page: Page, service: RecordedService) -> None:
    service.token = "secret"
    page.goto("/")
    expect(sentence(page)).to_contain_text("set TAILWATCH_TOKEN to a token that may.")


def test_a_failed_action_keeps_the_page(page: Page, service: RecordedService) -> None:
    service.failing["/api/v1/incidents/inc-0042/acknowledge"] = (500, "oops")
    page.goto("/incidents?incident=inc-0042")
    page.get_by_label("Your name").fill("Ada")
    page.get_by_label("Your name").press("Enter")
    page.get_by_role("button", name="Acknowledge").click()
    expect(sentence(page)).to_contain_text("answered /api/v1/incidents/inc-0042/acknowledge with HTTP 500")
    expect(page.locator('[data-tile="Status"] .value')).to_have_text("Open")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/slo?slo=nothing", "There is no SLO named nothing; choose one from the overview."),
        ("/incidents?incident=inc-9999", "nothing is named inc-9999"),
        ("/traces?trace=%3Cb%3E", "nothing is named <b>"),
        ("/services?service=nobody", "No service named nobody has sent telemetry lately."),
    ],
)
def test_an_address_that_names_nothing_is_one_sentence(page: Page, path: str, said: str) -> None:
    page.goto(path)
    expect(sentence(page)).to_contain_text(said)
