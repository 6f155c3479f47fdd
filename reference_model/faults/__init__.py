"""Faults that really happen in the service. None of them writes telemetry: what is seen is what went wrong."""
