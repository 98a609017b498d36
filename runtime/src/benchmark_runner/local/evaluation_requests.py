"""The requests that evaluate a response, or upload a file that is one."""

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from pydantic import JsonValue
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from benchmark_runner import schemas
from benchmark_runner.errors import DatasetError, describe
from benchmark_runner.local.bodies import (
    ARTIFACTS_ONLY,
    NO_ARTIFACTS,
    check_payload,
    json_response,
    read_body,
)
from benchmark_runner.local.catalog import Catalog, VersionNotFoundError, task_row
from benchmark_runner.local.evaluator import EvaluationError, Evaluator
from benchmark_runner.local.submissions import SubmissionRequest, Submissions

__all__ = ["EvaluationRequests"]


class EvaluationRequests:
    """The endpoints that evaluate the tasks in a catalog."""

    def __init__(self, catalog: Catalog, evaluator: Evaluator, submissions: Submissions) -> None:
        self._catalog = catalog
        self._evaluator = evaluator
        self._submissions = submissions
        self._in_progress: set[tuple[str, str, str]] = set()

    async def evaluate_legacy(self, request: Request) -> Response:
        """Return the grader's result as it is."""
        body = await read_body(request, schemas.EvaluateResponseRequest)
        row = task_row(await self._catalog.dataset(body.dataset, request.headers), body.task_id)
        if self._evaluator.payload_type != "text":
            raise HTTPException(400, ARTIFACTS_ONLY)
        try:
            return JSONResponse(await self._evaluator.evaluate(row, body.response))
        except EvaluationError as error:
            raise HTTPException(500, str(error)) from None

    async def upload_url(self, request: Request) -> Response:
        """Return a key for a file, and an address to put it to."""
        body = await read_body(request, SubmissionRequest)
        task_row(await self._catalog.dataset(body.dataset, request.headers), body.task_id)
        if self._evaluator.payload_type != "artifact":
            raise HTTPException(400, NO_ARTIFACTS)
        return json_response(self._submissions.address(body, request))

    async def evaluate_v1(self, request: Request) -> Response:
        """Return the grader's result, or the errors for which there is none."""
        body = await read_body(request, schemas.V1EvaluateRequest)
        check_payload(body.payload, self._evaluator.payload_type)
        answer = schemas.V1EvaluateResponse(
            run_id=body.run_id, task_id=body.task_id, status=schemas.EvalStatus.ERROR
        )
        try:
            dataset = await self._catalog.dataset(body.dataset, request.headers)
            row = task_row(dataset, body.task_id)
        except VersionNotFoundError:
            raise
        except (HTTPException, DatasetError) as error:
            reason = error.detail if isinstance(error, HTTPException) else describe(error)
            answer.errors = [self._evaluator.redactor.clean_text(reason)]
            return json_response(answer)
        answer.evaluator_version = self._evaluator.version(dataset)
        with self._exclusive(body.run_id, dataset.name, body.task_id):
            async with self._response(body) as response:
                await self._evaluate_into(answer, row, response)
        return json_response(answer)

    async def _evaluate_into(
        self,
        answer: schemas.V1EvaluateResponse,
        row: dict[str, JsonValue],
        response: str | Path,
    ) -> None:
        try:
            answer.result = await self._evaluator.evaluate(row, response)
            answer.status = schemas.EvalStatus.EVALUATED
        except EvaluationError as error:
            answer.errors = [str(error)]

    @asynccontextmanager
    async def _response(self, body: schemas.V1EvaluateRequest) -> AsyncGenerator[str | Path]:
        """Give the text to evaluate, or the file."""
        if body.payload.type == "text":
            yield body.payload.data
            return
        async with self._submissions.copy_of(body.run_id, body.task_id, body.payload.data) as path:
            yield path

    @contextmanager
    def _exclusive(self, run_id: str, dataset: str, task_id: str) -> Generator[None]:
        evaluation = (run_id, dataset, task_id)
        if evaluation in self._in_progress:
            raise HTTPException(409, f"Task {task_id} of run {run_id} is being evaluated right now")
        self._in_progress.add(evaluation)
        try:
            yield
        finally:
            self._in_progress.discard(evaluation)
