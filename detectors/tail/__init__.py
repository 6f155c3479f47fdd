"""Tails: quantiles with honest intervals, and where the rise of one sits; no I/O, no verdict on a budget."""

from detectors.tail.decomposition import TailDecomposition, TailPart, decompose
from detectors.tail.interval import QuantileInterval, quantile_interval

__all__ = ["QuantileInterval", "TailDecomposition", "TailPart", "decompose", "quantile_interval"]
