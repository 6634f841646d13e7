"""Timings of the operators; `python -m bev_ops.benchmarks.run`."""
