"""Published numbers, measured again: ``python -m benchmarks.papers``."""
