"""What an operator sees and does, in a real browser against the real dashboard process."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.dashboard import recorded
from tests.dashboard.service import RecordedService


def rows(page: Page, grid: str) -> Locator:
    return page.locator(f".st-key-grid-{grid} tbody tr")


def heading(page: Page) -> Locator:
    return page.locator(".tw-head h1")


def tile(page: Page, label: str) -> Locator:
    return page.locator(f'[data-tile="{label}"] .value')


def drawn_charts(page: Page, count: int) -> None:
    """Every chart has a canvas or drawing of some size, and there are `count` of them."""
    expect(page.locator('[data-testid="stVegaLiteChart"]')).to_have_count(count)
    # all at once and as often as it takes: a chart that is drawn anew has no size for a moment
    page.wait_for_function(
        """count => {
          const charts = [...document.querySelectorAll('[data-testid="stVegaLiteChart"]')];
          const drawn = chart => {
            const box = chart.querySelector("canvas, svg.marks")?.getBoundingClientRect();
            return box && box.width > 200 && box.height > 60;
          };
          return charts.length === count && charts.every(drawn);
        }""",
        arg=count,
    )


def test_overview_shows_every_slo_worst_first(page: Page) -> None:
    page.goto("/")
    expect(rows(page, "slos")).to_have_count(7)
    order = [row.get_attribute("data-row") for row in rows(page, "slos").all()]
    assert order[:3] == ["request-errors", "classify-latency", "queue-wait"]
    assert order[-1] == "confidence-drift"
    worst = rows(page, "slos").first
    expect(worst).to_contain_text("Exhausted")
    expect(worst).to_contain_text("-138 %")
    expect(worst).to_contain_text("22.7×")
    expect(tile(page, "Open incidents")).to_have_text("1")
    expect(tile(page, "SLOs burning")).to_have_text("1")
    expect(tile(page, "Budgets exhausted")).to_have_text("1")
    expect(tile(page, "Requests per minute")).to_have_text(re.compile(r"^\d+$"))
    expect(rows(page, "overview-incidents")).to_have_count(2)


def test_the_keyboard_keeps_its_place_through_a_refresh(page: Page, service: RecordedService) -> None:
    page.goto("/")
    expander = page.get_by_role("button", name="groups of request-errors")
    expander.focus()
    page.keyboard.press("Enter")
    expect(rows(page, "slos")).to_have_count(10)
    expect(expander).to_be_focused()
    open_incidents = page.locator('[data-tile="Open incidents"]')
    open_incidents.focus()
    service.incidents["inc-0041"]["status"] = "open"
    expect(tile(page, "Open incidents")).to_have_text("2")
    expect(open_incidents).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/incidents$"))


def test_overview_refreshes_in_place(page: Page, service: RecordedService) -> None:
    page.goto("/")
    page.get_by_role("button", name="groups of request-errors").click()
    expect(rows(page, "slos")).to_have_count(10)
    page.locator(".st-key-grid-slos th", has_text="Objective").get_by_role("button").click()
    expect(rows(page, "slos").first).to_contain_text("classify-latency")
    service.slos[2]["groups"][0]["state"] = "exhausted"
    service.slos[2]["groups"][0]["budget_remaining"] = -0.07
    changed = page.locator('tr[data-row="generation-ttft"]')
    expect(changed).to_contain_text("Exhausted")
    expect(changed).to_contain_text("-7 %")
    expect(rows(page, "slos")).to_have_count(10)
    expect(rows(page, "slos").first).to_contain_text("classify-latency")
    expect(page.locator(".st-key-grid-slos th", has_text="Objective")).to_have_attribute("aria-sort", "descending")


def test_a_row_pressed_while_the_page_refreshes_opens_all_the_same(page: Page, service: RecordedService) -> None:
    page.goto("/incidents")
    expect(rows(page, "incidents")).to_have_count(3)
    rows(page, "incidents").first.get_by_text("slice errors").hover()
    page.mouse.down()
    service.incidents["inc-0042"]["severity"] = "ticket"
    service.requests.clear()
    service.wait_until_asked("/api/v1/incidents", times=2)  # the first has been drawn when the second is asked for
    expect(rows(page, "incidents").first).to_contain_text("page")
    page.mouse.up()
    expect(heading(page)).to_have_text("request-errors: errors in code inputs")
    page.go_back()
    expect(rows(page, "incidents").first).to_contain_text("ticket")


def test_a_phone_shows_how_each_slo_stands(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto("/")
    worst = rows(page, "slos").first
    worst.scroll_into_view_if_needed()
    for value in ("Exhausted", "-138 %", "22.7×"):
        expect(worst.get_by_text(value)).to_be_in_viewport(ratio=1)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390


def test_overview_filters(page: Page) -> None:
    page.goto("/")
    expect(rows(page, "slos")).to_have_count(7)
    page.get_by_label("Filter SLOs").fill("latency burning")
    page.keyboard.press("Enter")
    expect(rows(page, "slos")).to_have_count(1)
    expect(rows(page, "slos")).to_contain_text("classify-latency")


def test_overview_says_what_is_wrong_with_the_configuration(page: Page, service: RecordedService) -> None:
    service.status["config_problems"] = ["slos.yaml line 12: objective is 120 %; give a percentage below 100"]
    page.goto("/")
    expect(page.get_by_text("slos.yaml line 12: objective is 120 %; give a percentage below 100")).to_be_visible()


def test_every_page_says_that_the_files_could_not_be_put_in_force(page: Page, service: RecordedService) -> None:
    fault = {"file": "slos/chat.yaml", "line": 4, "field": "slos[0].objective", "message": "is missing"}
    service.status["config"] = {
        "in_force_since": service.status["now"] - 7200, "failing_since": service.status["now"] - 60,
        "problems": [{**fault, "remedy": "add objective:"}, {**fault, "file": "gone.yaml", "line": 0, "field": ""}] * 6,
    }  # fmt: skip
    page.goto("/")
    expect(page.get_by_text("The configuration files hold errors since")).to_be_visible()
    expect(page.get_by_text("slos/chat.yaml:4: slos[0].objective: is missing (add objective:)").first).to_be_visible()
    expect(page.get_by_text("gone.yaml: is missing").first).to_be_visible()
    expect(page.get_by_text("and 2 more")).to_be_visible()


def test_a_row_opens_its_slo(page: Page) -> None:
    page.goto("/")
    rows(page, "slos").nth(1).locator("a").click()
    expect(heading(page)).to_have_text("classify-latency")
    expect(page).to_have_url(re.compile(r"/slo\?slo=classify-latency$"))
    page.go_back()
    expect(heading(page)).to_have_text("Overview")


def test_slo_page_draws_its_charts_and_groups(page: Page, service: RecordedService) -> None:
    page.goto("/slo?slo=request-errors")
    expect(heading(page)).to_have_text("request-errors")
    drawn_charts(page, 6)
    for title in ("Budget remaining", "Forecast", "SLI", "Burn rate", "Percentiles", "Distribution"):
        expect(page.locator("h2.tw-section", has_text=title).first).to_be_visible()
    expect(rows(page, "groups-request-errors")).to_have_count(3)
    expect(rows(page, "incidents-request-errors")).to_have_count(1)
    expect(page.locator("dl.tw-facts").first).to_contain_text("99.5 % over 30 d")
    asked = [sent for _, path, sent in service.requests if path.endswith("/history")]
    assert asked[0]["group"] == '{"input_type": "code"}'
    assert float(asked[0]["end"]) - float(asked[0]["start"]) >= recorded.WINDOW_S


def test_slo_page_follows_range_and_group(page: Page, service: RecordedService) -> None:
    page.goto("/slo?slo=request-errors&group=input_type%3Dchat")
    expect(tile(page, "State")).to_have_text("OK")
    drawn_charts(page, 6)
    service.requests.clear()
    page.get_by_role("radio", name="1 h", exact=True).click()
    expect(page.locator("h2.tw-section", has_text="SLI")).to_contain_text("per 30 s")
    spans = [float(q["end"]) - float(q["start"]) for _, path, q in service.requests if path.endswith("/history")]
    assert min(spans) == 3600
    expect(tile(page, "State")).to_have_text("OK")


def test_slo_page_tells_what_may_become_of_the_budget(page: Page, service: RecordedService) -> None:
    page.goto("/slo?slo=request-errors")
    expect(page.get_by_text(recorded.SENTENCE)).to_be_visible()
    section = page.locator("h2.tw-section", has_text="Forecast")
    expect(section).to_contain_text("from 3 d of history by hour of the day; too little to reach the end of the window")
    expect(section).to_contain_text("bad events at 12 times their level since")
    asked = [sent for _, path, sent in service.requests if path.endswith("/forecast")]
    assert asked[0]["group"] == '{"input_type": "code"}'
    service.forecast = {"enough_data": False, "sentence": "No forecast: 2 days of counts are needed."}
    page.reload()
    expect(page.get_by_text("No forecast: 2 days of counts are needed.")).to_be_visible()
    drawn_charts(page, 5)


def test_slo_page_lists_corrections(page: Page, service: RecordedService) -> None:
    page.goto("/slo?slo=request-errors")
    expect(page.get_by_text(recorded.SENTENCE)).to_be_visible()
    expect(rows(page, "corrections-request-errors")).to_have_count(0)
    service.corrections = recorded.corrections("request-errors")
    page.reload()
    expect(rows(page, "corrections-request-errors")).to_have_count(2)
    expect(rows(page, "corrections-request-errors").first).to_contain_text("In force")
    expect(rows(page, "corrections-request-errors").nth(1)).to_contain_text("cancelled by ada: it was ours")
    expect(rows(page, "corrections-request-errors").nth(1)).to_contain_text(recorded.MALICIOUS)


def test_incident_list_filters_and_opens(page: Page) -> None:
    page.goto("/incidents")
    expect(rows(page, "incidents")).to_have_count(3)
    page.get_by_role("button", name="Resolved").click()
    expect(rows(page, "incidents")).to_have_count(1)
    expect(rows(page, "incidents")).to_contain_text("queue grows")
    page.get_by_role("button", name="Resolved").click()
    expect(rows(page, "incidents")).to_have_count(3)
    rows(page, "incidents").first.click()
    expect(heading(page)).to_have_text("request-errors: errors in code inputs")


def test_incident_shows_its_evidence(page: Page) -> None:
    page.goto("/incidents?incident=inc-0042")
    expect(tile(page, "Cause")).to_have_text("slice errors")
    expect(page.locator(".tw-summary")).to_contain_text("11.4 % of the requests with input_type=code fail")
    expect(page.locator(".tw-first")).to_contain_text("Do first: Open an exemplar trace and read error.type. <img")
    drawn_charts(page, 2)
    expect(rows(page, "evidence-attribution").first).to_contain_text("input_type=code")
    expect(rows(page, "evidence-attribution").first).to_contain_text("93 %")
    expect(rows(page, "evidence-tail").first).to_contain_text("decode")
    expect(rows(page, "evidence-burn")).to_have_count(3)
    expect(rows(page, "evidence-changes").first).to_contain_text("v3")
    expect(rows(page, "evidence-drift").first).to_contain_text("< 0.0001")
    expect(rows(page, "alerts-inc-0042")).to_have_count(2)
    expect(rows(page, "timeline-inc-0042")).to_have_count(3)
    rows(page, "evidence-exemplars").first.locator("a").click()
    expect(heading(page)).to_have_text("POST /v1/chat")


def test_runbook_is_rendered_and_harmless(page: Page) -> None:
    page.goto("/incidents?incident=inc-0042")
    runbook = page.locator(".st-key-runbook")
    expect(runbook.get_by_role("heading", name="Errors in one slice")).to_be_visible()
    expect(runbook.locator("ol li")).to_have_count(3)
    expect(runbook.locator("table")).to_contain_text("11.4 %")
    expect(runbook).to_contain_text("about $5 more an hour, at most $120 a day")
    expect(runbook).not_to_contain_text("causes:")
    expect(runbook.locator("img, script, .katex")).to_have_count(0)
    expect(runbook).to_contain_text("<script>")


def test_acknowledge_comment_and_resolve_change_the_service_and_the_page(page: Page, service: RecordedService) -> None:
    page.goto("/incidents?incident=inc-0042")
    acknowledge = page.get_by_role("button", name="Acknowledge")
    acknowledge.click()
    expect(page.get_by_text("Enter your name first; the timeline records who acted.")).to_be_visible()
    assert service.incidents["inc-0042"]["status"] == "open"

    page.get_by_label("Your name").fill("Ada")
    page.get_by_label("Your name").press("Enter")
    acknowledge.click()
    expect(tile(page, "Status")).to_have_text("Acknowledged")
    expect(page.get_by_text("Acknowledged as Ada")).to_be_visible()
    expect(page.locator(".tw-sub")).to_have_css("opacity", "0.72")  # the page keeps its style
    assert service.incidents["inc-0042"]["status"] == "acknowledged"
    expect(page.get_by_role("button", name="Acknowledge", disabled=False)).to_have_count(0)

    page.get_by_label("Comment").fill("rolling back v3")
    page.get_by_role("button", name="Comment").click()
    expect(rows(page, "timeline-inc-0042").first).to_contain_text("rolling back v3")
    expect(rows(page, "timeline-inc-0042").first).to_contain_text("Ada")
    expect(page.get_by_label("Comment")).to_have_value("")

    page.get_by_role("button", name="Resolve").click()
    expect(tile(page, "Status")).to_have_text("Resolved")
    kinds = [event["kind"] for event in service.incidents["inc-0042"]["timeline"][-3:]]
    assert kinds == ["acknowledge", "comment", "resolve"]
    assert {event["author"] for event in service.incidents["inc-0042"]["timeline"][-3:]} == {"Ada"}


def test_the_name_is_kept_in_the_session(page: Page, service: RecordedService) -> None:
    page.goto("/incidents?incident=inc-0042")
    page.get_by_label("Your name").fill("Grace")
    page.get_by_label("Your name").press("Enter")
    # Streamlit drops what it has not begun to draw with when a page is left; the second drawing has begun with it
    service.requests.clear()
    service.wait_until_asked("/incidents/inc-0042", times=2)
    page.get_by_role("link", name="All incidents").click()
    rows(page, "incidents").nth(1).click()
    expect(heading(page)).to_have_text("classify-latency: tail spike")
    expect(page.get_by_label("Your name")).to_have_value("Grace")
    expect(page.get_by_text("No runbook matches this cause.")).to_be_visible()


def test_a_link_of_a_runbook_to_the_traces_of_a_service_shows_only_those(page: Page, service: RecordedService) -> None:
    name = "reference-inference"
    page.goto(f"/traces?service={name}")
    expect(rows(page, "traces").first).to_be_visible()
    asked = [sent for _, path, sent in service.requests if path == "/api/v1/traces"]
    assert {sent["service"] for sent in asked} == {name}


def test_traces_are_searched_and_shown_as_a_waterfall(page: Page, service: RecordedService) -> None:
    page.goto("/traces")
    expect(rows(page, "traces")).to_have_count(41)
    page.locator("label", has_text="Errors only").click()
    expect(rows(page, "traces")).to_have_count(2)
    asked = [sent for _, path, sent in service.requests if path == "/api/v1/traces"]
    assert "error" not in asked[0]
    assert asked[-1]["error"] == "true"
    rows(page, "traces").first.click()
    expect(page.locator("[data-span]")).to_have_count(6)
    call = page.locator('[data-span="00f067aa0ba902b8"]')
    call.click()
    expect(page.locator(".facts")).to_contain_text("gen_ai.usage.input_tokens")
    expect(page.locator(".facts")).to_contain_text(recorded.MALICIOUS)
    expect(page.locator(".facts img")).to_have_count(0)
    parent, child = page.locator("[data-span] .span").nth(0).bounding_box(), call.locator(".span").bounding_box()
    assert parent is not None
    assert child is not None
    assert parent["x"] <= child["x"]
    assert parent["width"] > child["width"] > 0.9 * parent["width"]


def test_services_show_traffic_latency_tokens_and_cost(page: Page) -> None:
    page.goto("/services")
    expect(rows(page, "services")).to_have_count(2)
    expect(rows(page, "services").first).to_contain_text("reference-inference")
    drawn_charts(page, 8)
    rows(page, "services").nth(1).locator("a").click()
    expect(page).to_have_url(re.compile(r"service=embedding-batch"))
    expect(page.locator("h2.tw-section", has_text="embedding-batch")).to_be_visible()


def test_services_show_the_worst_clock_of_their_instances(page: Page) -> None:
    page.goto("/services")
    expect(rows(page, "services").first).to_contain_text("12.4 s ahead")
    expect(rows(page, "services").nth(1)).to_contain_text("behind or late, 3 min 4 s")


def test_the_collector_page_shows_outcomes_reasons_clocks_and_collectors(page: Page, service: RecordedService) -> None:
    page.goto("/collector")
    expect(page.locator("[data-tile]")).to_have_count(7)
    expect(tile(page, "Records per second")).to_contain_text("21.1k")
    expect(tile(page, "Queue")).to_contain_text("18.4 MB")
    expect(rows(page, "requests")).to_have_count(5)
    expect(rows(page, "rejected").first).to_contain_text("In future")
    expect(rows(page, "sources")).to_have_count(4)
    expect(rows(page, "sources").first).to_contain_text("gpu-box-2")
    expect(rows(page, "sources").first).to_contain_text("12.4 s ahead")
    expect(rows(page, "collectors")).to_have_count(2)
    expect(page.locator("text=lacks")).to_have_count(0)
    service.status["collectors"][1]["lacks"] = ["queue-wait"]
    expect(rows(page, "collectors").nth(1)).to_contain_text("lacks queue-wait")


def test_the_audit_page_says_who_changed_what(page: Page, service: RecordedService) -> None:
    page.goto("/audit")
    expect(page.get_by_text("Nothing has been changed.")).to_be_visible()
    entry = {"actor": "dashboard", "address": "192.0.2.7", "detail": {"author": "maria", "text": "<b>mine</b>"}}
    actions = [("incident.acknowledge", "inc-0042"), ("silence.create", "b1")]
    service.audit = [
        {**entry, "id": place, "at": recorded.status()["now"], "action": action, "subject": subject}
        for place, (action, subject) in enumerate(actions)
    ]
    page.reload()
    expect(rows(page, "audit")).to_have_count(2)
    expect(rows(page, "audit").first).to_contain_text("by dashboard from 192.0.2.7")
    expect(rows(page, "audit").first).to_contain_text("text: <b>mine</b>")
    page.get_by_label("Search").fill("silence")
    page.get_by_label("Search").press("Enter")
    expect(rows(page, "audit")).to_have_count(1)


@pytest.mark.parametrize("path", ["/collector", "/"])
def test_overflow_is_told_with_whose_it_is_and_what_to_do(page: Page, service: RecordedService, path: str) -> None:
    service.status["overflow"] = recorded.overflow()
    page.goto(path)
    notice = page.get_by_test_id("stAlert").filter(has_text="SLO request-errors")
    expect(notice).to_contain_text("48,112 events")
    expect(notice).to_contain_text("service series")
    expect(notice).to_contain_text("fewer values under per")


def test_the_page_of_an_slo_says_that_groups_overflowed(page: Page, service: RecordedService) -> None:
    slo = next(one for one in service.slos if one["name"] == "request-errors")
    slo["overflow"] = {"events": 512, "limit": 2000}
    page.goto("/slo?slo=request-errors")
    expect(page.get_by_test_id("stAlert")).to_contain_text("512 events of the window are in the group")
    page.goto("/slo?slo=classify-latency")
    expect(page.locator("h1", has_text="classify-latency")).to_be_visible()
    expect(page.get_by_test_id("stAlert")).to_have_count(0)


def test_senders_that_are_all_ahead_point_at_the_collectors_own_clock(page: Page, service: RecordedService) -> None:
    for source in service.sources:
        source.update(lag_min_s=-30.0, ahead_s=30.0, concern="ahead")
    page.goto("/collector")
    expect(page.get_by_test_id("stAlert")).to_contain_text("check this machine's clock first")
