"""The vocabulary that every part of Tailwatch shares: pure values, no storage, no network, no clock of its own."""
