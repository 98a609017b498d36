"""The base class of a benchmark, with defaults for loading, evaluation and scoring."""

from benchmark_runner.base.runner import BenchmarkRunner, NoOptions

__all__ = ["BenchmarkRunner", "NoOptions"]
