"""What an author subclasses: tasks in, a generation out; grading and scoring have defaults."""

from __future__ import annotations

import asyncio
import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from unicodedata import normalize

from pydantic import BaseModel, ConfigDict, JsonValue

from benchmark_runner._scores import default_task_score
from benchmark_runner.datasets import build_tasks, open_dataset
from benchmark_runner.errors import BadResponseError, DatasetError, RunnerDefinitionError
from benchmark_runner.schemas import (
    EvalResult,
    EvalStatus,
    Failure,
    FailureKind,
    GenerationResult,
    GenerationStatus,
    Payload,
    Phase,
    ScoreResult,
    Task,
    V1EvaluateRequest,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmark_runner.client.service_client import BenchmarkServiceClient
    from benchmark_runner.llm import LLMConfig


class NoOptions(BaseModel):
    """What a runner without options of its own accepts: nothing."""

    model_config = ConfigDict(extra="forbid")


class BenchmarkRunner(ABC):
    """A benchmark: subclass it, set the names below and write ``generate()``.

    ``load_tasks()``, ``evaluate()``, ``score()`` and ``task_score()`` have defaults that suit
    a dataset file and a benchmark service; override what differs.

    Args:
        service_url: The benchmark service, or ``local`` for the embedded one.
        dataset_name: The service's name of the dataset; ``load_tasks()`` may set it, too.
        eval_concurrency: The most gradings at a time, for those that are asked for outside a
            run; in one, the engine limits them.
    """

    NAME: ClassVar[str]
    """The benchmark's name, for example ``my-bench``."""
    PAYLOAD_TYPE: ClassVar[str] = "text"
    PAYLOAD_SCHEMA_VERSION: ClassVar[int] = 1
    GENERATION_VERSION_ENV: ClassVar[str] = ""
    """The environment variable that stamps generations with a version."""
    TASK_MODEL: ClassVar[type[Task]] = Task
    """Validates the tasks."""
    EVALUATION_API: ClassVar[str] = "legacy"
    """``legacy`` (``/evaluate-response/``) or ``v1`` (``/v1/evaluate``)."""
    EVALUATOR_FIELDS: ClassVar[frozenset[str]] = frozenset({"answer"})
    """Fields of a dataset that only the grader may see; dropped before a task exists."""
    OPTIONS_MODEL: ClassVar[type[BaseModel]] = NoOptions
    """Declares what ``--option KEY=VALUE`` may set; validated into ``self.options``."""

    def __init__(
        self,
        service_url: str,
        dataset_name: str | None = None,
        eval_concurrency: int = 10,
    ) -> None:
        self.service_url = service_url
        self.run_id = ""
        # Any, as for the task of generate(): a subclass knows what its model declares.
        self.options: Any = NoOptions()
        self._dataset = dataset_name
        self._tasks: dict[str, Task] = {}
        self._folders: dict[str, str] = {}
        self._service_client: BenchmarkServiceClient | None = None
        self._eval_concurrency = eval_concurrency
        # For evaluate() methods written for the earlier framework, which hold it.
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
            model: What ``--model`` said.
            llm_config: Sampling and endpoint settings of the command line.
            log_dir: An existing folder of this task's own, for whatever is worth keeping.

        Returns:
            The answer. ``GenerationResult(answer=…)`` is enough.

        Raises:
            Exception: anything; it becomes this task's ``error``, and the others go on.
        """

    def load_tasks(self, dataset_file: str | None) -> list[Task]:
        """Return the tasks of a JSON, JSONL or CSV file, in its order.

        An override may read anything; it sets ``self._dataset`` to the name that the
        benchmark service knows the dataset by.

        Raises:
            DatasetError: the file is missing or malformed, or a task does not fit
                ``TASK_MODEL``.
        """
        if dataset_file is None:
            raise DatasetError(
                "no dataset was given",
                hint="Give --dataset-file FILE or --dataset-name NAME, "
                "or set default_dataset_file in runner/cli.py.",
            )
        file = Path(dataset_file)
        declared_name, rows = open_dataset(file)
        tasks = build_tasks(rows, self.TASK_MODEL, self.EVALUATOR_FIELDS, str(file))
        self._dataset = declared_name or self._dataset
        return tasks

    async def evaluate(self, task_id: str, generation: GenerationResult) -> EvalResult:
        """Have one generation graded by the benchmark service.

        A generation that ran out of time or turns did not complete, and one that failed has
        nothing to grade: neither is sent.

        Raises:
            ServiceError: the service can't grade it; the engine records why.
        """
        if (ungraded := evaluate_without_service(task_id, generation)) is not None:
            return ungraded
        if self.EVALUATION_API == "v1":
            return await self._evaluate_v1(task_id, generation)
        result = await self.service.evaluate_response(
            task_id=task_id, response=generation.data, dataset=self._dataset
        )
        self._refuse_another_tasks_grade(task_id, result)
        return EvalResult(task_id=task_id, status=EvalStatus.EVALUATED, result=result)

    async def score(self, eval_results: list[EvalResult]) -> ScoreResult:
        """Have the benchmark service sum up the evals.

        A registered task without an eval is submitted as ``null``: leaving it out would
        inflate the score.

        Raises:
            ServiceError: the service can't score them.
        """
        from benchmark_runner.client.scoring import score_evals

        by_id = {result.task_id: result for result in eval_results}
        task_ids = [*self._tasks, *(task_id for task_id in by_id if task_id not in self._tasks)]
        evals = ((task_id, by_id.get(task_id)) for task_id in task_ids)
        return await score_evals(
            self.service, self.EVALUATION_API, self.run_id, self._dataset, evals
        )

    def task_score(self, result: JsonValue) -> float | None:
        """What one graded task counts; ``None`` where that is not known.

        The default is a number or bool itself, else ``result["pass_percentage"]``, else
        ``result["score"]``, never rescaled.
        """
        return default_task_score(result)

    def add_task(self, task: Task) -> None:
        """Register one task.

        Raises:
            DatasetError: its id is taken, or differs from a taken one in case only.
        """
        folder = normalize("NFC", task.id).casefold()
        other = self._folders.get(folder) or (folder if folder in self._tasks else task.id)
        if other != task.id:
            raise DatasetError(
                f"the task ids {other!r} and {task.id!r} name the same folder on some disks",
                hint="Give each task an id that differs in more than case.",
            )
        if task.id in self._tasks:
            raise DatasetError(
                f"the task id {task.id!r} is there twice", hint="Give each task an id of its own."
            )
        self._tasks[task.id] = task
        if folder != task.id:  # most ids are their own folder's name
            self._folders[folder] = task.id

    def register_tasks(self, tasks: Iterable[Task]) -> None:
        """Make these the runner's tasks, in this order, without the evaluator's fields.

        Raises:
            DatasetError: an id is there twice.
            RunnerDefinitionError: a task declares a field that only the grader may see.
        """
        self._tasks, self._folders = {}, {}
        for task in tasks:
            self.add_task(_without_evaluator_fields(task, self.EVALUATOR_FIELDS))

    def get_tasks(self) -> list[Task]:
        """Return the registered tasks in the dataset's order."""
        return list(self._tasks.values())

    def registered_task(self, task_id: str) -> Task:
        """Return the registered task of this id.

        Raises:
            KeyError: there is none.
        """
        return self._tasks[task_id]

    @property
    def dataset_name(self) -> str | None:
        """The service's name of the dataset, ``None`` for its default one; settable."""
        return self._dataset

    @dataset_name.setter
    def dataset_name(self, name: str | None) -> None:
        self._dataset = name

    @property
    def payload_schema(self) -> str:
        """What identifies the shape of a response, for example ``my-bench.text.v1``."""
        return f"{self.NAME}.{self.PAYLOAD_TYPE}.v{self.PAYLOAD_SCHEMA_VERSION}"

    @property
    def generation_version(self) -> str:
        """The provenance stamp of generations: an environment variable, else ``dev``."""
        stamp = os.environ.get(self.GENERATION_VERSION_ENV) if self.GENERATION_VERSION_ENV else None
        return stamp or "dev"

    @property
    def service(self) -> BenchmarkServiceClient:
        """The door to the benchmark service; settable."""
        if self._service_client is None:
            from benchmark_runner.client.service_client import build_client

            self._service_client = build_client(
                self.service_url, max_connections=self._eval_concurrency
            )
        return self._service_client

    @service.setter
    def service(self, client: BenchmarkServiceClient) -> None:
        self._service_client = client

    async def aclose(self) -> None:
        """Close the connections to the benchmark service."""
        if self._service_client is not None:
            await self._service_client.aclose()

    @property
    def _client(self) -> BenchmarkServiceClient:
        # The name that runners of the earlier framework use in their own evaluate().
        return self.service

    @_client.setter
    def _client(self, client: BenchmarkServiceClient) -> None:
        self.service = client

    def _refuse_another_tasks_grade(self, task_id: str, result: JsonValue) -> None:
        # A legacy grade is any JSON, so its task_id may mean anything but another task of ours.
        named = result.get("task_id") if isinstance(result, dict) else None
        about = str(named) if isinstance(named, (str, int)) else task_id
        if about != task_id and about in self._tasks:
            raise BadResponseError(
                f"could not grade task {task_id!r}: unexpected response: "
                f"it is about task {about!r}",
                hint="Check that the service does not mix up what it grades at a time.",
            )

    async def _evaluate_v1(self, task_id: str, generation: GenerationResult) -> EvalResult:
        response = await self.service.evaluate(
            V1EvaluateRequest(
                run_id=self.run_id,
                task_id=task_id,
                dataset=self._dataset,
                payload=Payload(
                    type=self.PAYLOAD_TYPE, schema=self.payload_schema, data=generation.data
                ),
                versions={"runner": generation.generation_version or self.generation_version},
            )
        )
        failed = response.status is EvalStatus.ERROR
        return EvalResult(
            task_id=task_id,
            status=response.status,
            result=response.result,
            errors=response.errors,
            error="; ".join(response.errors) or "the service gave no reason" if failed else None,
            # The grader there failed; nobody can say whether it would again.
            failure=(
                Failure(phase=Phase.EVALUATE, kind=FailureKind.BAD_RESPONSE, retryable=True)
                if failed
                else None
            ),
            evaluator_version=response.evaluator_version,
        )


def evaluate_without_service(task_id: str, generation: GenerationResult) -> EvalResult | None:
    """Return the eval of a generation that has nothing to grade, else ``None``."""
    match generation.status:
        case GenerationStatus.SUCCESS:
            return None
        case GenerationStatus.MAX_TIME | GenerationStatus.MAX_TURNS:
            return EvalResult(task_id=task_id, status=EvalStatus.DID_NOT_COMPLETE)
        case GenerationStatus.ERROR:
            return EvalResult(
                task_id=task_id, status=EvalStatus.GENERATION_ERROR, error=generation.error
            )


def _without_evaluator_fields(task: Task, evaluator_fields: frozenset[str]) -> Task:
    if declared := sorted(evaluator_fields.intersection(type(task).model_fields)):
        raise RunnerDefinitionError(
            f"{type(task).__name__} declares {', '.join(declared)}, which EVALUATOR_FIELDS "
            "keeps from generate()",
            hint="Take it out of one of the two in runner/benchmark.py.",
        )
    hidden = evaluator_fields.intersection(task.model_extra or {})
    if not hidden:
        return task
    kept = {name: value for name, value in task if name not in hidden}
    return type(task).model_construct(_fields_set=task.model_fields_set - hidden, **kept)
