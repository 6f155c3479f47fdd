"""The command line: ``python -m reference_model serve`` and ``load``; it parses arguments and hands on."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from dataclasses import replace
from pathlib import Path

from reference_model.errors import ReferenceModelError


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns the process's exit status."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "serve":
            _serve(options)
        else:
            _load(options)
    except (ReferenceModelError, ValueError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="reference_model", description="Tailwatch's reference inference service and its load generator."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="run the service")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=8600, help="0: any free port")
    serve.add_argument("--otlp", help="collector, e.g. http://127.0.0.1:4318; else OTEL_EXPORTER_OTLP_ENDPOINT")
    serve.add_argument("--models", default="classify,chat", help="what to load: classify, chat, or both")
    serve.add_argument("--threads", type=int, default=1, help="CPU threads for each operation of torch")
    load = commands.add_parser("load", help="send traffic to the service")
    load.add_argument("--target", default="http://127.0.0.1:8600")
    load.add_argument("--rate", type=float, default=10.0, help="requests a second")
    load.add_argument("--seconds", type=float, default=60.0)
    load.add_argument("--mix", help="operations, e.g. classify=0.9,chat=0.1")
    load.add_argument("--input-types", help="e.g. chat=0.7,code=0.2,long=0.1")
    load.add_argument("--max-tokens", type=int, default=16, help="longest answer of a generation")
    load.add_argument("--burst-factor", type=float, default=1.0, help="rate in bursts, a fifth of every minute")
    load.add_argument("--swing", type=float, default=0.0, help="relative height of a ten-minute sine, 0 to 1")
    load.add_argument("--replay", type=Path, help="CSV with TIMESTAMP,ContextTokens,GeneratedTokens")
    load.add_argument("--time-scale", type=float, default=1.0, help="replay this many times as fast")
    load.add_argument("--seed", type=int, default=0)
    return parser


def _serve(options: argparse.Namespace) -> None:
    from reference_model.settings import ALL_MODELS, ServeSettings  # noqa: PLC0415 - torch only where it serves

    models = tuple(name.strip() for name in options.models.split(",") if name.strip())
    if not models or set(models) - set(ALL_MODELS):
        raise ReferenceModelError(f"--models names {options.models!r}; it may name {', '.join(ALL_MODELS)}.")
    from reference_model.serve import serve  # noqa: PLC0415

    asyncio.run(serve(options.host, options.port, options.otlp, ServeSettings(models=models, threads=options.threads)))


def _load(options: argparse.Namespace) -> None:
    from reference_model.load.arrivals import read_trace  # noqa: PLC0415
    from reference_model.load.generator import LoadGenerator  # noqa: PLC0415
    from reference_model.load.traffic import INPUT_TYPES, OPERATIONS, Arrivals, Traffic, parse_mix  # noqa: PLC0415

    if options.rate < 0 or options.time_scale <= 0:
        raise ReferenceModelError("--rate must not be negative, and --time-scale must be above 0.")
    arrivals = Arrivals(rate=options.rate, burst_factor=options.burst_factor, swing=options.swing)
    traffic = Traffic(arrivals=arrivals, max_tokens=options.max_tokens)
    if options.mix:
        traffic = replace(traffic, operations=parse_mix(options.mix, OPERATIONS))
    if options.input_types:
        traffic = replace(traffic, input_types=parse_mix(options.input_types, INPUT_TYPES))

    async def send() -> None:
        generator = LoadGenerator(options.target, traffic, options.seed)
        for signal_ in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(signal_, generator.stop)
        if options.replay:
            summary = await generator.replay(read_trace(options.replay), options.time_scale, options.seconds)
        else:
            summary = await generator.run(options.seconds)
        sys.stdout.write(json.dumps(summary.as_dict(), indent=2) + "\n")

    asyncio.run(send())


if __name__ == "__main__":
    raise SystemExit(main())
