"""The client of the benchmark service."""

from benchmark_runner.client.service_client import BenchmarkServiceClient, build_client

__all__ = ["BenchmarkServiceClient", "build_client"]
