"""How long `tailwatch serve` takes from its start to /readyz, on a new data directory and on a used one."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

CONFIG = "http: 127.0.0.1:{port}\ngrpc: 127.0.0.1:{grpc}\ndata_dir: {data}\nslos: [{slos}]\n"
SLOS = Path(__file__).resolve().parent.parent / "tailwatch" / "demo" / "slos.yaml"


def start(config: Path, port: int) -> float:
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "tailwatch", "--config", str(config), "serve", "--log-level", "error"]
    )
    try:
        while True:
            if process.poll() is not None:
                sys.exit(f"tailwatch serve ended with status {process.returncode}")
            try:
                if httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=1).status_code == 200:
                    return time.perf_counter() - began
            except httpx.TransportError:
                pass
            time.sleep(0.01)
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--port", type=int, default=14318)
    arguments = parser.parse_args()
    fresh, used = [], []
    for run in range(arguments.runs):
        with tempfile.TemporaryDirectory() as folder:
            config = Path(folder) / "tailwatch.yaml"
            config.write_text(
                CONFIG.format(port=arguments.port, grpc=arguments.port - 1, data=f"{folder}/data", slos=SLOS)
            )
            fresh.append(start(config, arguments.port))
            used.append(start(config, arguments.port))
        print(f"run {run + 1}: new directory {fresh[-1]:.2f} s, used directory {used[-1]:.2f} s", flush=True)
    for name, times in (("new directory", fresh), ("used directory", used)):
        print(f"{name}: median {statistics.median(times):.2f} s, {min(times):.2f} to {max(times):.2f} s to ready")


if __name__ == "__main__":
    main()
