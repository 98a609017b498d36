"""Contract tests for an author's runner, which a generated repository runs."""

from __future__ import annotations

import asyncio
import inspect
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar

from benchmark_runner._project.folders import Project
from benchmark_runner._project.wheel import missing_modules
from benchmark_runner._run.author_options import parse_options
from benchmark_runner._run.benchmark import check_definition
from benchmark_runner._run.task_source import TaskSource, load_tasks
from benchmark_runner.base import BenchmarkRunner
from benchmark_runner.datasets import read_dataset
from benchmark_runner.datasets.dataset_file import INPUTS
from benchmark_runner.errors import DatasetError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from benchmark_runner.schemas import Task

__all__ = ["RunnerContract"]


class RunnerContract:
    """Tests of a runner class; pytest collects them through a subclass named ``Test…``.

    Set both attributes. No test calls a model or the network.
    """

    runner_class: ClassVar[type[BenchmarkRunner]]
    """The runner under test."""
    dataset_file: ClassVar[str | None]
    """Its default dataset; relative to the project. ``None``: ``load_tasks()`` needs no file."""

    def _dataset_path(self) -> Path | None:
        name = self.dataset_file
        return None if name is None else Project.of(self.runner_class).data_path(name)

    def _tasks(self) -> list[Task]:
        """Return the tasks of a run without arguments, loaded as a run loads them."""
        runner = self.runner_class(service_url="local")
        with suppress(UsageError):  # test_options_have_defaults() reports it
            runner.options = parse_options(runner.OPTIONS_MODEL, {})
        return asyncio.run(load_tasks(runner, TaskSource("file", file=self._dataset_path())))

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
        """There are tasks, each valid and with an id of its own."""
        self._tasks()

    def test_loading_again_gives_the_same_tasks(self) -> None:
        """A resume recognises its tasks: same ids, same content, same order."""
        assert self._tasks() == self._tasks()

    def test_the_dataset_holds_references_for_the_grader(self) -> None:
        """No task of a dataset file lacks the evaluator fields that others have.

        Without any, a benchmark service grades, which has its own; and what ``load_tasks()``
        of an author reads has a form of its own.
        """
        hidden, path = self.runner_class.EVALUATOR_FIELDS, self._dataset_path()
        if path is None or self.runner_class.load_tasks is not BenchmarkRunner.load_tasks:
            return
        rows = read_dataset(path).rows
        bare = [str(row["id"]) for row in rows if not hidden & row.keys()]
        assert len(bare) in (0, len(rows)), (
            f"without {', '.join(sorted(hidden))}, which other tasks have: {', '.join(bare)}"
        )

    def test_each_input_folder_is_that_of_a_task(self) -> None:
        """The folders of ``inputs/`` beside the dataset have the ids of tasks there."""
        path = self._dataset_path()
        if path is None or not (path.parent / INPUTS).is_dir():
            return
        named = {folder.name for folder in (path.parent / INPUTS).iterdir() if folder.is_dir()}
        known = {task.id for task in self._tasks()}
        for file in path.parent.iterdir():
            with suppress(DatasetError):
                known |= {str(row["id"]) for row in read_dataset(file).rows}
        unknown = ", ".join(sorted(named - known))
        assert not unknown, f"{path.parent / INPUTS} has folders that belong to no task: {unknown}"

    def test_the_wheel_holds_what_is_imported(self) -> None:
        """Modules of the author's beside ``runner/`` are in the wheel, which an image installs."""
        project = Project.of(self.runner_class)
        missing = missing_modules(project.root, project.package) if project.root else []
        assert not missing, "\n".join(f"{module}: {module.advice}" for module in missing)

    def test_options_have_defaults(self) -> None:
        """``run`` works without any ``--option``."""
        parse_options(self.runner_class.OPTIONS_MODEL, {})
