"""The colours of meaning, readable on a light and on a dark page; the grid's stylesheet holds the same ones."""

OK = "#3a9d6e"
BURNING = "#d98e04"
EXHAUSTED = "#cf4257"
QUIET = "#8794a1"
ACCENT = "#3f86b0"
SLOW = ("#7fb2d0", "#d98e04", "#cf4257")  # p50, p95, p99: the further out in the tail, the louder
