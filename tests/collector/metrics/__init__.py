"""Tests of the metrics signal."""
