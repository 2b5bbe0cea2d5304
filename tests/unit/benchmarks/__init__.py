"""Tests of how benchmarks report."""
