"""Prometheus targets that are asked for their metrics: configuration, fetching, exposition formats, schedule."""
