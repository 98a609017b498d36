"""The base class of a benchmark, with defaults for loading, evaluation and scoring."""

from benchmark_runner.base.current_generation import CurrentGeneration, current_generation
from benchmark_runner.base.no_options import NoOptions
from benchmark_runner.base.runner import BenchmarkRunner

__all__ = ["BenchmarkRunner", "CurrentGeneration", "NoOptions", "current_generation"]
