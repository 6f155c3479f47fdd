"""Tests of the benchmarks: that they measure what they say; how fast anything is decides no test."""
