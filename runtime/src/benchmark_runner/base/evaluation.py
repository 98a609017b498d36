"""The evaluation of one generation: without the service, or by the API that the runner names."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from benchmark_runner.errors import BadResponseError
from benchmark_runner.schemas import (
    EvalResult,
    EvalStatus,
    GenerationResult,
    GenerationStatus,
    Payload,
    V1EvaluateRequest,
)

if TYPE_CHECKING:
    from collections.abc import Container

    from pydantic import JsonValue

    from benchmark_runner.base.tasks import PinnedRun
    from benchmark_runner.client.service_client import BenchmarkServiceClient

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


def refuse_grade_of_another(task_id: str, result: JsonValue, known: Container[str]) -> None:
    """Refuse a result that names another one of the ``known`` tasks.

    A result may be any JSON, so that other names in it mean nothing.

    Raises:
        BadResponseError: it is the grade of another task.
    """
    fields = result if isinstance(result, dict) else {}
    for named in map(fields.get, _NAMES):
        about = str(named) if isinstance(named, (str, int)) else task_id
        if about != task_id and about in known:
            raise BadResponseError(
                f"could not evaluate task {task_id!r}: the answer is about task {about!r}",
                hint="Check that the service does not mix up concurrent evaluations.",
            )


@dataclass(frozen=True, slots=True)
class ServiceEvaluation:
    """The way in which the service evaluates the generations of a run.

    Attributes:
        client: The client of the service.
        api: The API to ask: ``legacy``, ``v1`` or ``websocket``.
        run: The run.
        payload_type: The type of an answer.
        payload_schema: The name of the answer's format.
        runner_version: The version that is sent for a generation without one.
    """

    client: BenchmarkServiceClient
    api: str
    run: PinnedRun
    payload_type: str
    payload_schema: str
    runner_version: str

    async def evaluate(self, task_id: str, generation: GenerationResult) -> EvalResult:
        """Evaluate one generation that has an answer.

        Raises:
            ServiceError: the service can't evaluate it, or answers about another task.
        """
        by_api = {"v1": self._by_v1, "websocket": self._by_websocket}
        evaluate = by_api.get(self.api, self._by_legacy)
        if self.payload_type == "artifact":
            evaluate = self._by_artifact
        evaluated = await evaluate(task_id, generation)
        refuse_grade_of_another(task_id, evaluated.result_json(), self.run.tasks)
        return evaluated

    async def _by_v1(self, task_id: str, generation: GenerationResult) -> EvalResult:
        from benchmark_runner.client.scoring import evaluate_v1

        return await evaluate_v1(self.client, self._v1_request(task_id, generation))

    async def _by_artifact(self, task_id: str, generation: GenerationResult) -> EvalResult:
        from benchmark_runner.client.artifact_evaluation import evaluate_artifact

        open_file = partial(self.run.open_artifact, task_id, generation)
        return await evaluate_artifact(
            self.client, self._v1_request(task_id, generation), open_file
        )

    def _v1_request(self, task_id: str, generation: GenerationResult) -> V1EvaluateRequest:
        payload = Payload(type=self.payload_type, schema=self.payload_schema, data=generation.data)
        return V1EvaluateRequest(
            run_id=self.run.run_id,
            task_id=task_id,
            dataset=self.run.dataset_name,
            payload=payload,
            versions={"runner": generation.generation_version or self.runner_version},
        )

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
