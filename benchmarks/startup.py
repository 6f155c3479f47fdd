"""How long `tailwatch serve` takes from its start to /readyz, on a new data directory and on a used one.

CPU seconds are printed beside wall seconds: on a machine that does other things too, they are what can be compared.
The first start compiles the modules, as an installation does, and is not counted.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from tailwatch.demo.processes import free_port

CONFIG = "http: 127.0.0.1:{port}\ngrpc: 127.0.0.1:{grpc}\ndata_dir: {data}\nslos: [{slos}]\n"
SLOS = Path(__file__).resolve().parent.parent / "tailwatch" / "demo" / "slos.yaml"

Taken = tuple[float, float]
"""Wall and CPU seconds."""


def cpu_seconds(process: int) -> float:
    """User and system time of a process so far, from Linux' /proc."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def start(config: Path, port: int) -> Taken:
    compiled = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "tailwatch", "--config", str(config), "serve", "--log-level", "error"], env=compiled
    )
    try:
        while True:
            if process.poll() is not None:
                sys.exit(f"tailwatch serve ended with status {process.returncode}")
            try:
                if httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=1).status_code == 200:
                    return time.perf_counter() - began, cpu_seconds(process.pid)
            except httpx.TransportError:
                pass
            time.sleep(0.01)
    finally:
        process.terminate()
        process.wait()


def shown(taken: Taken) -> str:
    return f"{taken[0]:.2f} s ({taken[1]:.2f} s CPU)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    port, grpc = free_port(14318), free_port(14317)
    fresh, used = [], []
    for run in range(arguments.runs + 1):
        with tempfile.TemporaryDirectory() as folder:
            config = Path(folder) / "tailwatch.yaml"
            config.write_text(CONFIG.format(port=port, grpc=grpc, data=f"{folder}/data", slos=SLOS))
            first, second = start(config, port), start(config, port)
        if not run:
            continue
        fresh.append(first)
        used.append(second)
        print(f"run {run}: new directory {shown(fresh[-1])}, used directory {shown(used[-1])}", flush=True)
    for name, taken in (("new directory", fresh), ("used directory", used)):
        wall, cpu = zip(*taken, strict=True)
        median = statistics.median(wall), statistics.median(cpu)
        print(f"{name}: median {shown(median)} to ready; {min(wall):.2f} to {max(wall):.2f} s")


if __name__ == "__main__":
    main()
