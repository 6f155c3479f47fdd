"""Fixtures of the dashboard's tests: the recorded service, the real dashboard process, a real headless Chromium."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.dashboard.service import RecordedService, Running

ROOT = Path(__file__).parents[2]
REFRESH_S = 3
PATIENCE_MS = 60_000
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def free_port() -> int:
    """A port that was free a moment ago; Streamlit cannot say which one it took when asked for port 0."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start_dashboard(port: int, url: str, log: Path) -> subprocess.Popen[bytes]:
    """Start the dashboard as its users do and wait until it answers."""
    command = [sys.executable, "-m", "dashboard", "--port", str(port), "--url", url, "--refresh", str(REFRESH_S)]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("TAILWATCH_", "STREAMLIT_"))}
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=5):
                return process
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                pytest.fail(f"the dashboard did not start:\n{log.read_text('utf-8', 'replace')}")
            time.sleep(0.1)


@pytest.fixture(scope="package")
def running() -> Iterator[Running]:
    """The recorded service, listening."""
    running = Running(RecordedService())
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="package")
def dashboard(running: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a dashboard process that shows the recorded service."""
    port = free_port()
    process = start_dashboard(port, running.service.url, tmp_path_factory.mktemp("dashboard") / "log")
    yield f"http://127.0.0.1:{port}"
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A headless Chromium; where none is installed its tests are skipped, but fail where CI is set."""
    path = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("Chromium is not installed, and CI must test the dashboard in it")
        pytest.skip("Chromium is not installed (Debian: apt install chromium)")
    # Chromium refuses its sandbox to root, which is who runs tests in a container
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def service(running: Running) -> Iterator[RecordedService]:
    """The service's state, as recorded at the beginning of each test."""
    running.service.reset()
    yield running.service
    running.service.reset()


@pytest.fixture(scope="package")
def context(browser: Browser, dashboard: str) -> Iterator[BrowserContext]:
    """One browser profile for all tests, so that Streamlit's scripts are loaded once; sessions stay apart."""
    expect.set_options(timeout=PATIENCE_MS)
    context = browser.new_context(base_url=dashboard, viewport={"width": 1440, "height": 1000}, timezone_id="UTC")
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, service: RecordedService) -> Iterator[Page]:
    """A fresh page on the dashboard, which afterwards must not have shown a defect or called a foreign host."""
    hosts: set[str | None] = set()
    page = context.new_page()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).hostname))
    yield page
    exceptions = page.locator('[data-testid="stException"]').all_inner_texts()
    title = page.title()
    page.close()
    assert exceptions == []
    assert title != "owned"
    assert hosts <= {"127.0.0.1", "", None}, "the page called a foreign host"
