"""The HTTP API: FastAPI under /api/v1, health, readiness and metrics, on the port that also takes OTLP."""
