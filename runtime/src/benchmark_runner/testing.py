"""Contract tests for an author's runner, which a generated repository runs, and a fake service.

.. code-block:: python

    from benchmark_runner.testing import RunnerContract

    from runner.benchmark import MyBenchRunner


    class TestRunnerContract(RunnerContract):
        runner_class = MyBenchRunner
        dataset_file = "data/validation.json"
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, ClassVar

from benchmark_runner._fake_service import FakeService
from benchmark_runner._project import Project
from benchmark_runner._run.author_options import parse_options
from benchmark_runner._run.benchmark import check_definition
from benchmark_runner.datasets import DATASET_SUFFIXES, read_dataset

if TYPE_CHECKING:
    from pathlib import Path

    from benchmark_runner.base import BenchmarkRunner
    from benchmark_runner.schemas import Task

__all__ = ["FakeService", "RunnerContract"]


class RunnerContract:
    """Tests of a runner class; pytest collects them through a subclass named ``Test…``.

    Set both attributes. No test calls a model or the network.
    """

    runner_class: ClassVar[type[BenchmarkRunner]]
    """The runner under test."""
    dataset_file: ClassVar[str]
    """Its default dataset; relative to the project."""

    def _dataset_path(self) -> Path:
        return Project.of(self.runner_class).data_path(self.dataset_file)

    def _tasks(self) -> list[Task]:
        runner = self.runner_class(service_url="local")
        runner.register_tasks(runner.load_tasks(str(self._dataset_path())))
        return runner.get_tasks()

    def test_the_runner_class_is_complete(self) -> None:
        """The framework supports the class's names, APIs and fields."""
        check_definition(self.runner_class)

    def test_generate_takes_what_the_framework_passes(self) -> None:
        """``generate(task, model, llm_config=…, log_dir=…)`` can be called."""
        signature = inspect.signature(self.runner_class.generate)
        problem = ""
        try:
            signature.bind("self", "task", "model", llm_config=None, log_dir=None)
        except TypeError as error:
            problem = str(error)
        assert not problem, f"generate{signature} can't be called by the framework: {problem}"

    def test_the_dataset_loads(self) -> None:
        """Every task is valid, with an id of its own."""
        assert self._tasks(), f"{self.dataset_file} holds no tasks"

    def test_loading_again_gives_the_same_tasks(self) -> None:
        """A resume recognises its tasks: same ids, same content, same order."""
        assert self._tasks() == self._tasks()

    def test_the_dataset_holds_references_for_the_grader(self) -> None:
        """With evaluator fields declared, each task of a dataset file has at least one."""
        hidden = self.runner_class.EVALUATOR_FIELDS
        path = self._dataset_path()
        if hidden and path.suffix in DATASET_SUFFIXES:
            bare = [str(row["id"]) for row in read_dataset(path).rows if not hidden & row.keys()]
            assert not bare, f"without {', '.join(sorted(hidden))}: {', '.join(bare)}"

    def test_options_have_defaults(self) -> None:
        """``run`` works without any ``--option``."""
        parse_options(self.runner_class.OPTIONS_MODEL, {})
