"""Contract tests for an author's runner, which a generated repository runs, and a fake service.

.. code-block:: python

    from benchmark_runner.testing import RunnerContract

    from runner.benchmark import MyBenchRunner


    class TestRunnerContract(RunnerContract):
        runner_class = MyBenchRunner
        dataset_file = "data/validation.json"
"""

from benchmark_runner.testing.contract import RunnerContract
from benchmark_runner.testing.fake_service import FakeService

__all__ = ["FakeService", "RunnerContract"]
