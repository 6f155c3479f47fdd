"""Synthetic traffic with labelled incidents, run through the real counting, evaluation and alert states."""
