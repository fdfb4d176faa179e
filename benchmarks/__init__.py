"""Measures the library beside the bare client library: ``python -m benchmarks``."""
