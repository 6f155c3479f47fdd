"""``python -m collector.decode.kernel DIRECTORY`` compiles the decoder into a cache directory, and nothing more."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from collector.decode.kernel.decoder import compile_decoder

# The server that waits for the result goes on serving meanwhile.
os.nice(10)
compile_decoder(Path(sys.argv[1]))
