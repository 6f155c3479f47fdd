"""Model weights on disk: where the packages keep them, whether they are intact, and how to read them."""
