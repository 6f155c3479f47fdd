"""Forecasts of budgets and spend with calibrated intervals: pure, from counts by time, reproducible by their seed."""
