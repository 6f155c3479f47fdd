"""Real targets over HTTP: what they expose is stored, what is wrong with one is told once and troubles no other."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import prometheus_client
import pytest

from collector.metrics.places import SeriesPlaces
from collector.scrape.fetch import MAX_BYTES, HttpFetch
from collector.scrape.scraper import Scraper
from collector.scrape.targets import Target
from storage.database import Database
from storage.ingest import PreparedPayload, commit
from storage.metric_groups import GrowthPoint, metric_groups
from storage.metrics import SeriesStatus, statuses
from telemetry.errors import StorageError
from telemetry.histograms import Histogram
from telemetry.points import Total
from tests.collector.messages import NOW_NS, SECOND


@contextmanager
def exposing(registry: prometheus_client.CollectorRegistry) -> Iterator[str]:
    """The address of a real exposition server."""
    server, thread = prometheus_client.start_http_server(0, "127.0.0.1", registry)
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


@contextmanager
def answering(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """The address of a server that answers as it likes."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def replying(body: bytes, status: int = 200, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"Content-Type": "text/plain", **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def target(address: str, **more: Any) -> Target:
    given = Target("job", f"http://{address}/metrics", address, "chat", {"job": "job"}, 15 * SECOND, 5.0, {}, 1000)
    return replace(given, **more)


@contextmanager
def scraping(db: Database, *targets: Target, environment: dict[str, str] | None = None) -> Iterator[Scraper]:
    fetch = HttpFetch(environment or {})
    scraper = Scraper(targets, fetch, lambda payloads: commit(db, payloads, NOW_NS), SeriesPlaces(100))
    try:
        yield scraper
    finally:
        scraper.close()
        fetch.close()


def scrape(scraper: Scraper, now_ns: int = NOW_NS) -> None:
    scraper.step(now_ns)
    scraper.settle()


def stored(db: Database) -> dict[str, SeriesStatus]:
    return {one.series.name: one for one in statuses(db, 0)}


def test_a_real_exposition_is_scraped_and_its_growth_is_right(db: Database) -> None:
    registry = prometheus_client.CollectorRegistry()
    requests = prometheus_client.Counter("requests", "how many", ["model"], registry=registry)
    waiting = prometheus_client.Gauge("waiting", "how many wait", registry=registry)
    latency = prometheus_client.Histogram("latency_seconds", "how long", buckets=[0.1, 1.0], registry=registry)
    waiting.set(4)
    requests.labels("m").inc(10)
    with exposing(registry) as address, scraping(db, target(address)) as scraper:
        for turn in range(4):
            scrape(scraper, NOW_NS + turn * 15 * SECOND)
            requests.labels("m").inc(30)
            latency.observe(0.5)
    found = stored(db)
    assert found["waiting"].last == 4.0
    assert found["up"].last == 1.0
    assert found["requests_total"].last == Total(100.0)
    assert found["latency_seconds"].last == Histogram((0.1, 1.0), (0, 3, 0), 1.5)
    assert found["latency_seconds"].series.unit == "s"
    (group,) = metric_groups(
        db, "requests_total", NOW_NS, NOW_NS + 45 * SECOND, 45 * SECOND, now_ns=NOW_NS, by=("model", "instance", "job")
    )
    assert group.labels == {"model": "m", "instance": address, "job": "job"}
    added = sum(
        one.added.value for one in group.points if isinstance(one, GrowthPoint) and isinstance(one.added, Total)
    )
    assert added == pytest.approx(90.0)


def test_a_turn_is_scraped_once_also_by_two_collectors(db: Database) -> None:
    with ExitStack() as stack:
        address = stack.enter_context(answering(replying(b"# TYPE x gauge\nx 1\n")))
        scrapers = [stack.enter_context(scraping(db, target(address))) for _ in range(2)]
        for scraper in (*scrapers, *scrapers):
            scrape(scraper)
        assert [one.problem for scraper in scrapers for one in scraper.statuses()] == ["", ""]
    (group,) = metric_groups(db, "x", NOW_NS - 60 * SECOND, NOW_NS + SECOND, SECOND * 61, now_ns=NOW_NS)
    assert sum(point.total for point in group.points if not isinstance(point, GrowthPoint)) == 1.0
    with db.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM payloads").scalar() == 1


def drip(handler: BaseHTTPRequestHandler) -> None:
    replying(b"x 1\n", Content_Length="1000")(handler)
    handler.wfile.flush()
    handler.connection.settimeout(5)
    with suppress(OSError):
        handler.connection.recv(1)  # until the scraper hangs up


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (replying(b"", 500), "it answers HTTP 500"),
        (replying(b"", 302, Location="http://127.0.0.1:1/"), "redirects"),
        (replying(b"<html>"), "not Prometheus' text format"),
        (replying(b"\xff\xfe x 1\n"), "not UTF-8"),
        (replying(b"x 1\n", Content_Encoding="gzip"), "compressed"),
        (replying(b"x" * (MAX_BYTES + 1)), f"exceeds {MAX_BYTES} bytes"),
        (replying(b"".join(b'x{a="%d"} 1\n' % number for number in range(1001))), "more than 1000 samples"),
        (drip, "no whole answer within 0.3 s"),
    ],
)
def test_a_target_that_cannot_be_read_is_down(
    db: Database, caplog: pytest.LogCaptureFixture, answer: Callable[[BaseHTTPRequestHandler], None], words: str
) -> None:
    timeout_s = 0.3 if answer is drip else 5.0
    with answering(answer) as address, scraping(db, target(address, timeout_s=timeout_s)) as scraper:
        scrape(scraper)
        assert words in (scraper.statuses()[0].problem or "")
    assert words in caplog.text
    assert stored(db)["up"].last == 0.0


def test_a_target_that_is_not_there_is_told_once_and_once_again_when_it_is_back(
    db: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    failing = {"on": True}

    class Fetch(HttpFetch):
        def __call__(self, one: Target) -> Any:
            return super().__call__(one if failing["on"] else replace(one, url=f"http://{good}/metrics"))

    with answering(replying(b"x 1\n")) as good:
        fetch = Fetch({})
        scraper = Scraper([target(address)], fetch, lambda p: commit(db, p, NOW_NS), SeriesPlaces(10))
        for turn in range(3):
            scrape(scraper, NOW_NS + turn * 15 * SECOND)
        failing["on"] = False
        for turn in range(3, 6):
            scrape(scraper, NOW_NS + turn * 15 * SECOND)
        scraper.close()
        fetch.close()
    lines = [record.getMessage() for record in caplog.records if record.name == "collector.scrape.scraper"]
    assert len(lines) == 2
    assert "is down: cannot be reached" in lines[0]
    assert "is up again" in lines[1]


def test_a_target_that_hangs_troubles_no_other(db: Database) -> None:
    released = threading.Event()

    def hang(handler: BaseHTTPRequestHandler) -> None:
        released.wait(30)
        replying(b"x 1\n")(handler)

    with ExitStack() as stack:
        hanging = stack.enter_context(answering(hang))
        good = stack.enter_context(answering(replying(b"y 1\n")))
        scraper = stack.enter_context(scraping(db, target(hanging, timeout_s=30), target(good)))
        for turn in range(3):
            scraper.step(NOW_NS + turn * 15 * SECOND)
            running = scraper._places[1].running
            assert running is not None
            running.result(20)
        assert scraper.statuses()[1].scraped_ns == NOW_NS + 30 * SECOND
        assert scraper.statuses()[0].scraped_ns is None
        released.set()
        scraper.settle()
        assert scraper.statuses()[0].scraped_ns == NOW_NS


def test_a_secret_is_sent_and_never_shown(db: Database, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[str] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        seen.append(handler.headers["Authorization"])
        replying(b"", 401)(handler)

    environment = {"TOKEN": "Bearer s3cret"}
    with ExitStack() as stack:
        asked = target(stack.enter_context(answering(answer)), headers={"Authorization": "TOKEN"})
        scraper = stack.enter_context(scraping(db, asked, environment=environment))
        scrape(scraper)
        assert "s3cret" not in repr(scraper.statuses())
    assert seen == ["Bearer s3cret"]
    assert "HTTP 401" in caplog.text
    assert "s3cret" not in caplog.text


def test_bad_samples_and_series_beyond_the_limit_are_counted(db: Database) -> None:
    body = b"".join(b'x_total{a="%d"} 1\n' % number for number in range(150)) + b"y NaN\n"
    with answering(replying(b"# TYPE x_total counter\n" + body)) as address, scraping(db, target(address)) as scraper:
        scrape(scraper)
        (one,) = scraper.statuses()
    assert (one.samples, one.rejected) == (151, 51)
    assert stored(db)["scrape_samples_rejected"].last == 51.0


def test_what_cannot_be_stored_is_told(caplog: pytest.LogCaptureFixture) -> None:
    def refuse(_: list[PreparedPayload]) -> None:
        raise StorageError("the disk is full")

    with answering(replying(b"x 1\n")) as address:
        fetch = HttpFetch({})
        scraper = Scraper([target(address)], fetch, refuse, SeriesPlaces(10))  # type: ignore[arg-type]
        scrape(scraper)
        scraper.close()
        fetch.close()
    assert "could not be stored: the disk is full" in (scraper.statuses()[0].problem or "")
    assert "the disk is full" in caplog.text
