"""Contract tests for an author's runner, which a generated repository runs, and a fake service."""

from benchmark_runner.testing.contract import RunnerContract
from benchmark_runner.testing.fake_service import FakeService

__all__ = ["FakeService", "RunnerContract"]
