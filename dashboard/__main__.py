"""Starts the dashboard: headless, on the loopback, without usage statistics, until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from dashboard import settings

APP = Path(__file__).with_name("app.py")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the dashboard in this process; returns the exit status once it was told to stop."""
    parser = argparse.ArgumentParser(prog="python -m dashboard", description="Tailwatch dashboard")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: loopback only)")
    parser.add_argument("--port", type=_port, default=8501, help="port to listen on")
    parser.add_argument("--url", help=f"address of the service (default: TAILWATCH_URL, else {settings.DEFAULT_URL})")
    parser.add_argument("--refresh", help="seconds between refreshes (default: TAILWATCH_REFRESH_S, else 10)")
    options = parser.parse_args(arguments)
    for name, value in (("TAILWATCH_URL", options.url), ("TAILWATCH_REFRESH_S", options.refresh)):
        if value is not None:
            os.environ[name] = value
    try:
        settings.from_environment().tls_context()
    except settings.SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    try:
        from streamlit.web import cli  # noqa: PLC0415 - an optional extra, and --help must work without it
    except ModuleNotFoundError:
        sys.stderr.write("The dashboard needs Streamlit; install it with: pip install 'tailwatch[dashboard]'\n")
        return 1
    # this checkout or installation comes first, whatever the folder that the process was started in
    sys.path.insert(0, str(APP.parent.parent))
    flags = {
        "server.address": options.host,
        "server.port": str(options.port),
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
    }
    cli.main(["run", str(APP), *(f"--{name}={value}" for name, value in flags.items())], standalone_mode=False)
    return 0


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text} is no port; give a number from 1 to 65535")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
