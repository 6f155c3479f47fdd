"""Bring a file of past requests in through the collector's own way: rows become OTLP spans, and count like them."""
