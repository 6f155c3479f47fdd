"""Pure detectors: data and time are arguments, findings are values; no storage, clock or network."""
