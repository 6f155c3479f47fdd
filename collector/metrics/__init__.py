"""Metrics from OTLP bytes to points: decoded, checked one by one, and given a place among the series there may be."""
