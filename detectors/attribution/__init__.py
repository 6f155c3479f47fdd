"""Which slices of the traffic carry an excess of bad events; no I/O, no verdict on why."""

from detectors.attribution.dimensions import DIMENSIONS
from detectors.attribution.explanation import Attribution, Slice, attribute

__all__ = ["DIMENSIONS", "Attribution", "Slice", "attribute"]
