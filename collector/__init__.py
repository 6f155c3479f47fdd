"""OTLP in, committed SLIs out: bytes -> columns -> deltas -> one transaction -> answer. It knows no SLO."""
