"""Silencing, merging, snoozing and looking at the noise, in a real browser against the real dashboard process."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.dashboard.recorded import MALICIOUS, NOW, response
from tests.dashboard.service import RecordedService


def rows(page: Page, grid: str) -> Locator:
    return page.locator(f".st-key-grid-{grid} tbody tr")


def choose(page: Page, label: str, option: str) -> None:
    box = page.get_by_role("combobox", name=re.compile(label))
    expect(box).to_be_visible()
    # a list of options closes when what it is in scrolls, as a fold does while it is still unfolding
    page.wait_for_function("() => [...document.querySelectorAll('details')].every(one => !one.getAnimations().length)")
    box.click()
    page.get_by_role("option", name=option).click()


def say_who(page: Page) -> None:
    page.get_by_label("Your name").fill("Ada")
    page.get_by_label("Your name").press("Enter")


def test_silences_and_mute_times_are_listed_and_one_opens(page: Page) -> None:
    page.goto("/silences")
    expect(rows(page, "silences-active")).to_have_count(1)
    expect(rows(page, "silences-active")).to_contain_text("batch · costs")
    expect(rows(page, "silences-pending")).to_contain_text(MALICIOUS)
    expect(rows(page, "silences-expired")).to_have_count(1)
    expect(rows(page, "mutes")).to_have_count(3)
    rows(page, "silences-active").locator("a").click()
    expect(page.locator(".st-key-silence")).to_contain_text("re-priced")


def test_a_silence_is_extended_and_ended(page: Page, service: RecordedService) -> None:
    page.goto("/silences?silence=s-active")
    page.get_by_role("button", name="Extend").click()
    expect(rows(page, "silences-active")).to_contain_text("for 3 h")
    assert service.alertmanager.silences["s-active"]["createdBy"] == "Ada"
    page.get_by_role("button", name="Expire").click()
    expect(rows(page, "silences-expired")).to_have_count(2)
    expect(page.get_by_role("link", name="Make it anew")).to_be_visible()


def test_a_silence_is_made_with_what_it_would_keep_quiet_in_view(page: Page, service: RecordedService) -> None:
    page.goto("/silences")
    matchers = page.get_by_label("Matchers, one a line")
    matchers.fill("chat")
    matchers.blur()
    expect(page.get_by_text("is no matcher; write")).to_be_visible()
    matchers.fill('service=~"chat|search"')
    matchers.blur()
    expect(rows(page, "alerts-preview")).to_have_count(2)
    expect(rows(page, "alerts-preview").nth(1)).to_contain_text(MALICIOUS)
    page.get_by_role("button", name="Silence", exact=True).click()
    expect(page.get_by_text("Enter your name and a comment first")).to_be_visible()
    say_who(page)
    page.get_by_label("Comment").fill("deploying v4")
    page.get_by_label("Comment").press("Enter")
    page.get_by_role("button", name="Silence", exact=True).click()
    expect(rows(page, "silences-active")).to_have_count(2)
    made = service.alertmanager.silences["made"]
    assert (made["createdBy"], made["comment"]) == ("Ada", "deploying v4")
    assert made["matchers"] == [{"name": "service", "value": "chat|search", "isRegex": True, "isEqual": True}]
    expect(matchers).to_have_count(1)  # the field that was written in goes once the page is drawn
    expect(matchers).to_have_value("")


def test_what_the_service_refuses_is_one_sentence(page: Page, service: RecordedService) -> None:
    page.goto("/silences?new=service%3D~%22(%22")
    expect(page.get_by_text("bad matcher format")).to_be_visible()
    page.goto("/silences?new=service%3D%22chat%22")
    page.get_by_label("Your name").fill("nobody")
    page.get_by_label("Comment").fill("x")
    page.get_by_label("Comment").press("Enter")
    page.get_by_role("button", name="Silence", exact=True).click()
    expect(page.get_by_text("end time can't be in the past")).to_be_visible()
    assert "made" not in service.alertmanager.silences


def test_an_incident_leads_to_its_silence(page: Page) -> None:
    page.goto("/incidents?incident=inc-0042")
    page.get_by_role("link", name="Silence this").click()
    expect(page.get_by_label("Matchers, one a line")).to_have_value('input_type="code"\nslo="request-errors"')


def test_snooze_assign_and_reclassify(page: Page, service: RecordedService) -> None:
    page.goto("/incidents?incident=inc-0042")
    say_who(page)
    page.get_by_text("Snooze, assign, change severity, merge").click()
    page.get_by_role("button", name="Snooze", exact=True).click()
    expect(page.locator('[data-tile="Status"]')).to_contain_text("snoozed until")
    assert service.incidents["inc-0042"]["snoozed_until"] == NOW + 3600
    comment = page.get_by_label("Comment")
    comment.fill("it is the load test")
    page.get_by_label("Assign to").fill("Bob")
    page.get_by_label("Assign to").press("Enter")
    page.get_by_role("button", name="Assign", exact=True).click()
    expect(page.locator('[data-tile="Status"]')).to_contain_text("assigned to Bob")
    page.get_by_label("Assign to").fill("")
    page.get_by_role("button", name="Assign", exact=True).click()
    expect(page.locator('[data-tile="Status"]')).not_to_contain_text("assigned")
    expect(comment).to_have_value("it is the load test")  # an assignment sends none, and must not lose it
    page.get_by_role("button", name="Make it a ticket").click()
    expect(page.locator('[data-tile="Severity"] .value')).to_have_text("ticket")
    assert "it is the load test" in service.incidents["inc-0042"]["timeline"][-1]["text"]
    expect(comment).to_have_value("")


def test_an_incident_is_merged_into_another(page: Page, service: RecordedService) -> None:
    page.goto("/incidents?incident=inc-0042")
    say_who(page)
    page.get_by_text("Snooze, assign, change severity, merge").click()
    choose(page, "Merge into", "inc-0041: classify-latency: tail spike")
    page.get_by_role("button", name="Merge", exact=True).click()
    expect(page.get_by_role("link", name="Open inc-0041")).to_be_visible()
    assert service.incidents["inc-0042"]["merged_into"] == "inc-0041"
    expect(page.get_by_role("button", name="Acknowledge")).to_have_count(0)


def test_a_hook_that_waits_is_approved_or_denied(page: Page, service: RecordedService) -> None:
    hook = {"name": "rollback", "target": "POST https://deploy.internal/v1/rollbacks", "waiting": True, "left": 1}
    for incident in ("inc-0042", "inc-0041"):
        service.incidents[incident]["hooks"] = [dict(hook)]
    page.goto("/incidents?incident=inc-0042")
    expect(page.get_by_text("POST https://deploy.internal/v1/rollbacks, waits for approval")).to_be_visible()
    page.get_by_role("button", name="Approve rollback").click()
    expect(page.get_by_text("Enter your name first")).to_be_visible()
    say_who(page)
    page.get_by_label("Comment").fill("v4 is bad")
    page.get_by_role("button", name="Approve rollback").click()
    expect(page.get_by_role("button", name="Run rollback")).to_be_visible()
    assert service.hook_requests == [("inc-0042", "rollback", {"author": "Ada", "comment": "v4 is bad"})]
    page.goto("/incidents?incident=inc-0041")
    say_who(page)
    page.get_by_role("button", name="Deny rollback").click()
    expect(page.get_by_role("button", name="Deny rollback")).to_have_count(0)
    assert service.hook_requests[1:] == [("inc-0041", "rollback/deny", {"author": "Ada", "comment": ""})]


def test_what_is_chosen_and_typed_while_the_service_is_slow_is_what_is_sent(
    page: Page, service: RecordedService
) -> None:
    """Reruns that pile up become one: what a button does must not hang on a page that was never drawn."""
    service.undelivered = response.undelivered()
    page.goto("/oncall")
    page.get_by_role("button", name="Try this again").wait_for()
    service.delay_s = 1.0
    say_who(page)
    choose(page, "Notification", "9: inc-0042 to oncall/slack (opened)")
    page.get_by_role("button", name="Try this again").click()
    expect(rows(page, "undelivered")).to_have_count(1)
    assert [one["id"] for one in service.undelivered] == [12]


def test_a_resolved_incident_is_opened_again_and_its_post_mortem_is_a_file(
    page: Page, service: RecordedService
) -> None:
    page.goto("/incidents?incident=inc-0037")
    with page.expect_download() as download:
        page.get_by_role("button", name="Post-mortem").click()
    assert download.value.suggested_filename == "inc-0037.md"
    assert download.value.path().read_text("utf-8") == "# inc-0037"
    say_who(page)
    page.get_by_role("button", name="Re-open").click()
    expect(page.locator('[data-tile="Status"] .value')).to_have_text("Open")
    assert service.incidents["inc-0037"]["timeline"][-1]["kind"] == "reopen"


def test_on_call_shows_who_cries_wolf_and_asks_for_the_period(page: Page, service: RecordedService) -> None:
    page.goto("/oncall")
    expect(page.locator('[data-tile="Cry wolf"] .value')).to_have_text("1")
    alert = page.get_by_test_id("stAlert")
    expect(alert).to_have_count(1)
    expect(alert).to_contain_text("edge-errors cries wolf: 0 of 4 incidents were acted on.")
    expect(alert).to_contain_text(MALICIOUS)
    expect(rows(page, "noise-receivers").first).to_contain_text("Over: 2 pages a day")
    expect(rows(page, "figures-Service")).to_have_count(2)
    page.get_by_role("radio", name="SLO", exact=True).click()
    expect(rows(page, "figures-SLO")).to_have_count(1)
    assert {sent["since"] for sent in service.asked("/noise")} == {"30d"}
    page.get_by_role("radio", name="7 d", exact=True).click()
    service.wait_until_asked("/noise", since="7d")
    service.requests.clear()
    service.wait_until_asked("/noise", since="7d")  # and so it stays when the page refreshes by itself
    assert {sent["since"] for sent in service.asked("/noise")} == {"7d"}


def test_what_was_given_up_is_shown_with_its_reason_and_tried_again(page: Page, service: RecordedService) -> None:
    service.undelivered = response.undelivered()
    page.goto("/oncall")
    expect(rows(page, "undelivered")).to_have_count(2)
    expect(rows(page, "undelivered").first).to_contain_text(MALICIOUS)
    expect(rows(page, "undelivered").nth(1)).to_contain_text("answered 404: channel_not_found")
    one, every = (page.get_by_role("button", name=f"Try {what} again") for what in ("this", "all"))
    one.click()
    expect(page.get_by_text("Say first which to try again.")).to_be_visible()
    choose(page, "Notification", "9: inc-0042 to oncall/slack (opened)")
    one.click()
    expect(page.get_by_text("Enter your name first")).to_be_visible()
    say_who(page)
    one.click()
    expect(rows(page, "undelivered")).to_have_count(1)
    assert [one["id"] for one in service.undelivered] == [12]
    assert service.retried_by == "Ada"
    expect(page.get_by_text("Enter your name first")).to_have_count(0)
    every.click()
    expect(rows(page, "undelivered")).to_have_count(0)
    expect(page.get_by_text("given up, and nothing later")).to_have_count(0)


def test_a_retry_that_is_refused_is_one_sentence(page: Page, service: RecordedService) -> None:
    service.undelivered = response.undelivered()
    page.goto("/oncall")
    say_who(page)
    choose(page, "Notification", "12: inc-0042 to oncall/slack (reminder)")
    expect(page.get_by_role("combobox", name=re.compile("Notification"))).to_have_value(re.compile("^12"))
    again = page.get_by_role("button", name="Try this again")
    again.wait_for()
    # made good a moment ago, so that the list lacks it by the time of the click; it must not be taken for all
    service.undelivered = service.undelivered[1:]
    again.dispatch_event("click")
    expect(page.get_by_text("notification 12 cannot be tried again: it was delivered; do nothing.")).to_be_visible()
    assert [one["id"] for one in service.undelivered] == [9]


@pytest.mark.parametrize("path", ["/", "/collector"])
def test_what_was_given_up_is_told_where_people_look_and_leads_to_the_list(
    page: Page, service: RecordedService, path: str
) -> None:
    service.undelivered = response.undelivered()
    service.status["receivers"] = [{"receiver": "oncall/slack", "pending": 0, "undelivered": 2}]
    page.goto(path)
    notice = page.get_by_test_id("stAlert").filter(has_text="2 notifications were given up: oncall/slack (2).")
    expect(notice).to_be_visible()
    page.get_by_role("link", name="See which, and try again").click()
    expect(rows(page, "undelivered")).to_have_count(2)
