"""``python -m collector.decode.kernel FILE`` compiles the decoder into an object file, and nothing more."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from collector.decode.kernel.export import export

# The server that waits for the result goes on serving meanwhile.
os.nice(10)
export(Path(sys.argv[1]))
