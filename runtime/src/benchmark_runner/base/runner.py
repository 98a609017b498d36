"""The class that an author derives a benchmark from."""

from __future__ import annotations

import asyncio
import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, JsonValue

from benchmark_runner._scores import default_task_score
from benchmark_runner.base.evaluation import ServiceEvaluation, evaluate_without_service
from benchmark_runner.base.no_options import NoOptions
from benchmark_runner.base.per_call import PerCall
from benchmark_runner.base.service_user import ServiceUser
from benchmark_runner.base.shared_resources import SharedResources
from benchmark_runner.base.tasks import PinnedRun, claim_folder, own_copy, without_fields
from benchmark_runner.datasets import build_tasks, open_dataset
from benchmark_runner.errors import DatasetError
from benchmark_runner.schemas import (
    EvalResult,
    GenerationResult,
    Payload,
    ScoreResult,
    Task,
    V1EvaluateRequest,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from benchmark_runner.artifacts import RunArtifacts
    from benchmark_runner.base.score_request import Submission
    from benchmark_runner.llm import LLMConfig

__all__ = ["BenchmarkRunner"]


class BenchmarkRunner(ServiceUser, SharedResources, ABC):
    """A benchmark: subclass it, set the names below and write ``generate()``.

    The other methods have defaults for a dataset file and a benchmark service. ``start()`` and
    ``stop()`` open and close what all calls of ``generate()`` share.

    Args:
        service_url: The benchmark service, or ``local`` for the embedded one.
        dataset_name: The service's name of the dataset; ``load_tasks()`` may set it, too.
        eval_concurrency: The most evaluations at a time outside a run; in a run, the engine
            limits them.
    """

    NAME: ClassVar[str]
    """The benchmark's name, for example ``my-bench``."""
    PAYLOAD_TYPE: ClassVar[str] = "text"
    """``text``, or ``artifact`` where an answer is a file."""
    ARTIFACT_MAX_BYTES: ClassVar[int] = 64 * 1024**2
    """The largest artifact; a service may take less."""
    PAYLOAD_SCHEMA_VERSION: ClassVar[int] = 1
    GENERATION_VERSION_ENV: ClassVar[str] = ""
    """The environment variable that stamps generations with a version."""
    TASK_MODEL: ClassVar[type[Task]] = Task
    """The model that validates tasks."""
    EVALUATION_API: ClassVar[str] = "legacy"
    """``legacy`` (``/evaluate-response/``), ``v1`` (``/v1/evaluate``) or ``websocket``
    (``/ws/evaluate-response``, for evaluations that take long)."""
    SCORE_SUBMISSION: ClassVar[Submission] = "auto"
    """The shape that the legacy service sums up: each task's ``envelope``, or its bare ``result``;
    with ``auto``, the first of these whose score does not contradict the grades."""
    EVALUATOR_FIELDS: ClassVar[frozenset[str]] = frozenset({"answer"})
    """Fields of a dataset that only the grader may see; dropped before a task exists."""
    OPTIONS_MODEL: ClassVar[type[BaseModel]] = NoOptions
    """The model of ``--option KEY=VALUE`` settings, which become ``self.options``."""
    # Any, as for the task of generate(): a subclass knows its own models.
    options: Any = PerCall()

    def __init__(
        self, service_url: str, dataset_name: str | None = None, eval_concurrency: int = 10
    ) -> None:
        super().__init__(service_url, eval_concurrency)
        self.run_id = ""
        self.options = NoOptions()
        self.dataset_version: str | None = None
        """The version of the dataset, where the service lists its tasks and says it."""
        self.unused_fields: list[str] = []
        """The fields of the dataset file, beside its tasks, that are not read."""
        self._dataset = dataset_name
        self._tasks: dict[str, Task] = {}
        self._folders: dict[str, str] = {}
        self._pinned: PinnedRun | None = None
        # For evaluate() methods of the earlier framework, which acquire it.
        self._eval_sem = asyncio.Semaphore(eval_concurrency)

    @abstractmethod
    async def generate(
        self,
        task: Any,
        model: str,
        llm_config: LLMConfig | None = None,
        log_dir: Path | None = None,
    ) -> GenerationResult:
        """Run the agent on one task.

        A plain ``def`` works as well; it is then called in a thread.

        Args:
            task: The task, a ``TASK_MODEL``, without the fields that only the grader may see.
            model: The value of ``--model``.
            llm_config: Sampling and endpoint settings from the command line.
            log_dir: An existing folder for the logs of this task.

        Returns:
            The answer. ``GenerationResult(answer=…)`` is enough.

        Raises:
            Exception: any; it becomes this task's ``error``, and the other tasks go on.
        """

    def load_tasks(self, dataset_file: str | None) -> list[Task]:
        """Return the tasks of a JSON, JSONL or CSV file, in its order.

        An override may read anything; it sets ``self._dataset`` to the benchmark service's
        name of the dataset.

        Raises:
            DatasetError: the file is missing or malformed, or does not fit ``TASK_MODEL``.
        """
        if dataset_file is None:
            raise DatasetError(
                "no dataset was given",
                hint="Give --dataset-file FILE or --dataset-name NAME, "
                "or set default_dataset_file in runner/cli.py.",
            )
        declared_name, rows = open_dataset(Path(dataset_file), self.unused_fields)
        tasks = build_tasks(rows, self.TASK_MODEL, self.EVALUATOR_FIELDS, dataset_file)
        self._dataset = declared_name or self._dataset
        return tasks

    async def fetch_inputs(self, task: Task, folder: Path) -> list[Path]:
        """Put the files that the service has for a task into a folder, and return their paths.

        Args:
            task: The task.
            folder: The folder that they belong below, such as the agent's workspace.

        Raises:
            InputError: a file belongs elsewhere, or can't be written; nothing outside is touched.
            ServiceError: the service can't send them.
        """
        return await self.input_source.fetch(self.dataset_name, task.id, folder)

    async def evaluate(self, task_id: str, generation: GenerationResult) -> EvalResult:
        """Evaluate one generation with the benchmark service.

        A generation that failed, or ran out of time or turns, is not sent.

        Raises:
            ServiceError: the service can't evaluate it; the engine records the reason.
        """
        if (unsent := evaluate_without_service(task_id, generation)) is not None:
            return unsent
        return await ServiceEvaluation(
            client=self.service,
            api="artifact" if self.PAYLOAD_TYPE == "artifact" else self.EVALUATION_API,
            run=self._run_of,
            v1_request=self._v1_request,
        ).evaluate(task_id, generation)

    async def score(self, eval_results: list[EvalResult]) -> ScoreResult:
        """Score the evals with the benchmark service.

        A registered task without an eval is submitted as ``null``.

        Raises:
            ServiceError: the service can't score them.
        """
        from benchmark_runner.base.score_request import ScoreRequest, grades_of, scoring_api

        by_id = {result.task_id: result for result in eval_results}
        return await ScoreRequest(
            client=self.service,
            api=scoring_api(self.EVALUATION_API),
            submission=self.SCORE_SUBMISSION,
            run_id=self.run_id,  # of one repeat
            dataset=self.dataset_name,
            evals=[
                (each, by_id.get(each)) for each in dict.fromkeys([*self._run_of.tasks, *by_id])
            ],
            grades=grades_of(eval_results, self.task_score),
        ).send()

    def task_score(self, result: JsonValue) -> float | None:
        """Return the task score of a result; ``None`` if it has none.

        The default is the result itself if it is a number or bool, else the first of
        ``pass_percentage``, ``score``, ``resolved``, ``verifier_result.rewards.score`` and
        ``weighted_pass_percentage`` in it, never rescaled.
        """
        return default_task_score(result)

    async def load_tasks_from_service(self, dataset_name: str) -> list[Task]:
        """Return the tasks of a dataset of the service, which becomes that of this runner."""
        response = await self.service.list_tasks(dataset_name)
        self._dataset, self.dataset_version = dataset_name, response.dataset_version
        place = f"dataset {dataset_name!r} of the service"
        return [*build_tasks(response.tasks, self.TASK_MODEL, self.EVALUATOR_FIELDS, place)]

    def add_task(self, task: Task) -> None:
        """Register one task.

        Raises:
            DatasetError: its id is taken, or differs from another one only in case.
        """
        claim_folder(task.id, self._tasks, self._folders)
        self._tasks[task.id] = task

    def register_tasks(self, tasks: Iterable[Task]) -> None:
        """Replace the runner's tasks by these, in this order, without the evaluator's fields.

        Raises:
            DatasetError: as for :meth:`add_task`.
            RunnerDefinitionError: a task declares a field that only the grader may see.
        """
        self._tasks, self._folders = {}, {}
        for task in tasks:
            self.add_task(without_fields(task, self.EVALUATOR_FIELDS))

    def get_tasks(self) -> list[Task]:
        """Return copies of the registered tasks, in the dataset's order."""
        return list(map(own_copy, self._tasks.values()))

    def registered_task(self, task_id: str) -> Task:
        """Return a copy of the registered task with this id; a missing one is a ``KeyError``."""
        return own_copy(self._run_of.tasks[task_id])

    def registered_tasks(self) -> Iterator[Task]:
        """Yield the registered tasks themselves, which are not to be changed."""
        yield from self._tasks.values()

    def pin_run(self, artifacts: RunArtifacts | None = None) -> None:
        """Keep the run's id, dataset and tasks, whatever the author's code sets from now on."""
        self._pinned = PinnedRun(self.run_id, self._dataset, {**self._tasks}, artifacts)

    def pin_repeat(self, repeat: int) -> None:
        """Make this the repeat that ``score()`` is for, whatever run id is set."""
        self._pinned = self._run_of._replace(repeat=repeat)
        self.run_id = self._pinned.service_run_id

    def artifact_path(self, task_id: str) -> Path:
        """Return the file that is the answer of a task, for an ``evaluate()`` of the author's own.

        It is that of the repeat which is evaluated, or in ``score()`` scored.

        Raises:
            UnusableArtifactError: the answer is no file, or not the one that was kept.
            UsageError: there is no run.
        """
        return self._run_of.artifact_path(task_id)

    @property
    def _run_of(self) -> PinnedRun:
        return self._pinned or PinnedRun(self.run_id, self._dataset, self._tasks)

    @property
    def dataset_name(self) -> str | None:
        """The service's name of the dataset, ``None`` for its default one.

        Settable until the run begins.
        """
        return self._run_of.dataset_name

    @dataset_name.setter
    def dataset_name(self, name: str | None) -> None:
        self._dataset = name

    @property
    def payload_schema(self) -> str:
        """The name of the response's format, for example ``my-bench.text.v1``."""
        return f"{self.NAME}.{self.PAYLOAD_TYPE}.v{self.PAYLOAD_SCHEMA_VERSION}"

    @property
    def generation_version(self) -> str:
        """The version that generations are stamped with: an environment variable, else ``dev``."""
        return os.environ.get(self.GENERATION_VERSION_ENV) or "dev"

    def _v1_request(self, task_id: str, generation: GenerationResult) -> V1EvaluateRequest:
        payload = Payload(type=self.PAYLOAD_TYPE, schema=self.payload_schema, data=generation.data)
        return V1EvaluateRequest(
            run_id=self._run_of.service_run_id,
            task_id=task_id,
            dataset=self.dataset_name,
            payload=payload,
            versions={"runner": generation.generation_version or self.generation_version},
        )

    # Runners of the earlier framework, and their tests, use these names.
    _register_task = add_task
    _register_tasks = register_tasks
