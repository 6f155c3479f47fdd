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
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright

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
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], BrowserContext]]:
    """Opens a headless Chromium on an address; where none is installed its tests are skipped, but fail where CI is set.

    Its profile is on the disk: without one Chromium would compile Streamlit's scripts anew for every page.
    """
    path = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("Chromium is not installed, and CI must test the dashboard in it")
        pytest.skip("Chromium is not installed (Debian: apt install chromium)")
    # Chromium refuses its sandbox to root, which is who runs tests in a container
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright, ExitStack() as opened:

        def open_on(url: str) -> BrowserContext:
            context = playwright.chromium.launch_persistent_context(
                tmp_path_factory.mktemp("profile"), executable_path=path, args=arguments, base_url=url,
                viewport={"width": 1440, "height": 1000}, timezone_id="UTC",
            )  # fmt: skip
            opened.callback(context.close)
            context.set_default_timeout(PATIENCE_MS)
            return context

        yield open_on


@pytest.fixture
def service(running: Running) -> Iterator[RecordedService]:
    """The service's state, as recorded at the beginning of each test."""
    running.service.reset()
    yield running.service
    running.service.reset()


@pytest.fixture(scope="package")
def context(browser: Callable[[str], BrowserContext], dashboard: str) -> BrowserContext:
    """One browser profile for all tests, so that Streamlit's scripts are loaded once; sessions stay apart."""
    return browser(dashboard)


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
