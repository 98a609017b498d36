"""The evaluation of one generation: without the service, or by the API that the runner names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmark_runner.errors import BadResponseError
from benchmark_runner.schemas import (
    EvalResult,
    EvalResultData,
    EvalStatus,
    GenerationResult,
    GenerationStatus,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from benchmark_runner.base.tasks import PinnedRun
    from benchmark_runner.client.service_client import BenchmarkServiceClient
    from benchmark_runner.schemas import V1EvaluateRequest

__all__ = ["ServiceEvaluation", "evaluate_without_service", "refuse_grade_of_another"]

#: Fields in which graders name the task.
_NAMES = ("task_id", "instance_id", "task_name")


def evaluate_without_service(task_id: str, generation: GenerationResult) -> EvalResult | None:
    """Return the eval of a generation that needs no service; ``None`` for any other."""
    if generation.status is GenerationStatus.SUCCESS:
        return None
    if generation.status is GenerationStatus.ERROR:
        return EvalResult(
            task_id=task_id, status=EvalStatus.GENERATION_ERROR, error=generation.error
        )
    return EvalResult(task_id=task_id, status=EvalStatus.DID_NOT_COMPLETE)


def refuse_grade_of_another(evaluated: EvalResult, known: Container[str]) -> None:
    """Refuse a service's result that names another one of the ``known`` tasks.

    A result may be any JSON, so that other names in it mean nothing.

    Raises:
        BadResponseError: it is the grade of another task.
    """
    task_id, result = evaluated.task_id, evaluated.result
    fields = (isinstance(result, EvalResultData) and result.model_extra) or {}
    for named in map(fields.get, _NAMES):
        about = str(named) if isinstance(named, (str, int)) else task_id
        if about != task_id and about in known:
            raise BadResponseError(
                f"could not evaluate task {task_id!r}: the answer is about task {about!r}",
                hint="Check that the service does not mix up concurrent evaluations.",
            )


@dataclass(slots=True)
class ServiceEvaluation:
    """The way in which the service evaluates the generations of a run.

    Attributes:
        client: The client of the service.
        api: The API to ask: ``legacy``, ``v1`` or ``websocket``; ``artifact`` for files by ``v1``.
        run: The run.
        v1_request: Returns the request of a generation by ``v1``.
    """

    client: BenchmarkServiceClient
    api: str
    run: PinnedRun
    v1_request: Callable[[str, GenerationResult], V1EvaluateRequest]

    async def evaluate(self, task_id: str, generation: GenerationResult) -> EvalResult:
        """Evaluate one generation that has an answer.

        Raises:
            ServiceError: the service can't evaluate it, or answers about another task.
        """
        by_api = {
            "artifact": self._by_artifact,
            "v1": self._by_v1,
            "websocket": self._by_websocket,
        }
        evaluated = await by_api.get(self.api, self._by_legacy)(task_id, generation)
        refuse_grade_of_another(evaluated, self.run.tasks)
        return evaluated

    async def _by_v1(self, task_id: str, generation: GenerationResult) -> EvalResult:
        from benchmark_runner.client.scoring import evaluate_v1

        return await evaluate_v1(self.client, self.v1_request(task_id, generation))

    async def _by_artifact(self, task_id: str, generation: GenerationResult) -> EvalResult:
        from benchmark_runner.client.artifact_evaluation import evaluate_artifact

        open_file = self.run.artifact_opener(task_id, generation)
        request = self.v1_request(task_id, generation)
        return await evaluate_artifact(self.client, request, open_file)

    async def _by_legacy(self, task_id: str, generation: GenerationResult) -> EvalResult:
        result = await self.client.evaluate_response(
            task_id=task_id, response=generation.data, dataset=self.run.dataset_name
        )
        return EvalResult(task_id=task_id, status=EvalStatus.EVALUATED, result=result)

    async def _by_websocket(self, task_id: str, generation: GenerationResult) -> EvalResult:
        from benchmark_runner.base.current_journal import journal_for
        from benchmark_runner.client.websocket_evaluation import WebSocketEvaluation

        journal = journal_for(task_id, generation.data)
        dataset = self.run.dataset_name
        evaluation = WebSocketEvaluation(self.client, task_id, generation.data, dataset, journal)
        return await evaluation.run()
