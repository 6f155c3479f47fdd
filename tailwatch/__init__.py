"""The composition root: settings, command line, HTTP API, wiring and schedule. Only this package knows all others."""

__version__ = "0.1.0"
