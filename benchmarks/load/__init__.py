"""Simulates a fleet on a real server: ``python -m benchmarks.load``."""
