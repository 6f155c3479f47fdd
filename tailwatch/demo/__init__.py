"""The demonstration: every part for real on loopback, load, a fault, and a verdict on what became of it."""
