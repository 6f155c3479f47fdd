"""Looks for bodies on which the compiled decoder and the protobuf library disagree, for as long as it is told to.

    python -m tests.collector.fuzz_decode --seconds 600 --seed 1

Prints the first batch that differs, as a test can take it, and exits with 1. NUMBA_BOUNDSCHECK=1 checks every index.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import time
from importlib import import_module
from pathlib import Path

from collector.decode.compiled import CompiledDecoder
from collector.decode.protobuf import decode_protobuf
from tests.collector.decode_cases import agreement, batch, task


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="how long (0: only --batches)")
    parser.add_argument("--batches", type=int, default=0, help="stop after so many, 0 is no limit")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    decoder = CompiledDecoder()
    decoder.warm(Path()).join()
    if decoder.state != "ready":
        print(f"the compiled decoder is {decoder.state}")
        return 2
    check = agreement(decoder, decode_protobuf)
    end = time.monotonic() + (chosen.seconds or float("inf"))
    rng = random.Random(chosen.seed)
    scan = import_module("collector.decode.kernel.scan")
    for number in itertools.count(1):
        scan._PIECE = rng.choice((1, 300, 1 << 19))
        signal = rng.choice(("span", "log"))
        bodies, wanted = batch(rng, signal), task(rng, signal)
        try:
            check(bodies, wanted)
        except Exception as error:  # noqa: BLE001  # whatever it is, the batch that caused it is the finding
            print(f"batch {number} of seed {chosen.seed}: {type(error).__name__}: {error}\n{bodies!r}\n{wanted!r}")
            return 1
        if number == chosen.batches or time.monotonic() > end:
            print(f"{number} batches of seed {chosen.seed}: no difference")
            return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
