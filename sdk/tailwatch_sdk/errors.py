"""The one exception that this package raises; nothing raises it after `configure`."""


class ConfigurationError(ValueError):
    """`configure` was given an argument that it cannot use; the sentence says which, and what it takes."""
