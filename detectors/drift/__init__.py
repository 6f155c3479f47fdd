"""Drift between a reference and a window: evidence and effect per field, and over embeddings; no I/O, no state."""

from detectors.drift.compare import DriftResult, FieldDrift, compare

__all__ = ["DriftResult", "FieldDrift", "compare"]
