"""The HTTP API: OpenAI-compatible inference routes, and /admin for drills, canaries and state."""
