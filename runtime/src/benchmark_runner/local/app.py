"""The embedded benchmark service: the HTTP surface of the service contract as an ASGI app.

The same client talks to it as to a deployed service, in-process or on a port, and it answers
as that would: authentication first, then the path, then the body.
"""

import contextlib
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

from pydantic import BaseModel, JsonValue
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from benchmark_runner import schemas
from benchmark_runner._redaction import Redactor
from benchmark_runner._scores import default_task_score
from benchmark_runner._versions import RUNTIME_DISTRIBUTION, installed_version
from benchmark_runner.errors import DatasetError, describe
from benchmark_runner.local.auth import Authentication
from benchmark_runner.local.catalog import Catalog, VersionNotFoundError, echo_version
from benchmark_runner.local.datasets import LocalDataset, LocalDatasets
from benchmark_runner.local.evaluator import EvaluationError, Evaluator
from benchmark_runner.local.grader import Grader, TaskScore
from benchmark_runner.local.request_body import (
    NO_ARTIFACTS,
    InvalidBodyError,
    check_payload,
    read_body,
)
from benchmark_runner.local.submissions import UPLOADS, SubmissionRequest, Submissions
from benchmark_runner.local.sum_up import sum_up
from benchmark_runner.schemas import EvalStatus

__all__ = ["LocalService"]

_ARTIFACTS_ONLY = "This benchmark accepts artifact submissions only, by POST /v1/evaluate"


class LocalService:
    """An ASGI app that evaluates with an author's grader.

    Args:
        name: The benchmark's name.
        datasets: The datasets that clients can name.
        grader: Gets the whole raw task and the response, returns any JSON.
        key: The key that clients must send as ``x-descope-api-key`` (a bearer key on the legacy
            paths only); ``None`` lets everyone in.
        default_dataset: The dataset of a request without one, where none is named ``default``.
        payload_type: What is evaluated: a ``text``, or an ``artifact``, of which the grader gets
            the path.
        task_score: Returns the task score of a grader's result; ``None`` is an error of the
            evaluation, and of the score request.
        scores_elsewhere: Accept results of which ``task_score`` makes no number, as the runner's
            own ``score()`` reads them.
        redactor: Masks secrets in results and errors, for clients in other processes.
        submissions: Keeps the artifacts that are uploaded.

    Raises:
        UsageError: no client could send that key.
    """

    def __init__(
        self,
        name: str,
        datasets: LocalDatasets,
        grader: Grader,
        *,
        key: str | None = None,
        default_dataset: str | None = None,
        payload_type: str = "text",
        task_score: TaskScore = default_task_score,
        scores_elsewhere: bool = False,
        redactor: Redactor | None = None,
        submissions: Submissions | None = None,
    ) -> None:
        self._authentication = Authentication(key, open_prefix=UPLOADS)
        self.name = name
        self.datasets = datasets
        self.key = key
        self._catalog = Catalog(datasets, default_dataset)
        self._task_score = task_score
        self._redactor = redactor or Redactor()
        required_score = None if scores_elsewhere else task_score
        self._evaluator = Evaluator(grader, required_score, self._redactor, payload_type)
        self._submissions = submissions or Submissions()
        self._in_progress: set[tuple[str, str, str]] = set()
        self._app = Starlette(
            routes=[
                Route("/health", self._health),
                Route("/version", self._version),
                Route("/resolve-dataset", self._resolve_dataset, methods=["POST"]),
                Route(UPLOADS + "{key:path}", self._submissions.put, methods=["PUT"]),
                *(
                    Route(path, echo_version(endpoint), methods=[method])
                    for method, path, endpoint in (
                        ("GET", "/verify-task-ids", self._verify_task_ids),
                        ("GET", "/v1/datasets/{dataset:path}/tasks", self._list_tasks),
                        ("POST", "/evaluate-response/", self._evaluate_response),
                        ("POST", "/final-score/", self._final_score),
                        ("POST", "/v1/submissions/upload-url", self._upload_url),
                        ("POST", "/v1/evaluate", self._evaluate),
                        ("POST", "/v1/score", self._score),
                    )
                ),
            ],
            exception_handlers=dict.fromkeys(
                (HTTPException, InvalidBodyError, DatasetError, Exception), self._answer_error
            ),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        app = self._app
        if scope["type"] == "http" and (refused := self._authentication.refusal(scope)):
            app = JSONResponse({"detail": refused[1]}, status_code=refused[0])
        await app(scope, receive, send)

    def close(self) -> None:
        """Remove the artifacts that were uploaded."""
        self._submissions.close()

    async def _health(self, _request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def _version(self, request: Request) -> Response:
        # Unknown versions are null, also when the dataset is unknown or malformed.
        versions: list[LocalDataset] = []
        with contextlib.suppress(HTTPException, DatasetError):
            versions = await self._catalog.versions(request.query_params.get("dataset"))
        dataset = versions[0] if versions else None
        return _json(
            schemas.VersionResponse(
                framework_version=installed_version(RUNTIME_DISTRIBUTION),
                service_name=f"{self.name} (local)",
                service_version=self._evaluator.version(dataset) if dataset else None,
                dataset_version=dataset.label or dataset.version if dataset else None,
                eval_mode="local",
                dataset_version_selection=any(each.label for each in versions),
            )
        )

    async def _resolve_dataset(self, request: Request) -> Response:
        body = await read_body(request, schemas.ResolveDatasetRequest)
        found = await self._catalog.resolve(body.dataset, body.version, request.headers)
        version = schemas.DatasetVersion(id=found.version_id, label=found.label)
        return _json(schemas.ResolveDatasetResponse(dataset=found.name, version=version))

    async def _verify_task_ids(self, request: Request) -> Response:
        dataset = await self._dataset(request, request.query_params.get("dataset"))
        asked = request.query_params.getlist("task_ids")
        for task_id in asked:
            _row(dataset, task_id)
        chosen = _slice(asked or list(dataset.rows), request.query_params.get("slice"))
        return _json(schemas.VerifyTaskIdsResponse(task_ids=chosen))

    async def _list_tasks(self, request: Request) -> Response:
        dataset = await self._dataset(request, request.path_params["dataset"])
        return _json(
            schemas.TaskListResponse(
                dataset=dataset.name,
                dataset_version=dataset.label or dataset.version,
                tasks=dataset.tasks,
            )
        )

    async def _evaluate_response(self, request: Request) -> Response:
        body = await read_body(request, schemas.EvaluateResponseRequest)
        row = _row(await self._dataset(request, body.dataset), body.task_id)
        if self._evaluator.payload_type != "text":
            raise HTTPException(400, _ARTIFACTS_ONLY)
        try:
            return JSONResponse(await self._evaluator.evaluate(row, body.response))
        except EvaluationError as error:
            raise HTTPException(500, str(error)) from None

    async def _final_score(self, request: Request) -> Response:
        body = await read_body(request, schemas.FinalScoreRequest)
        return _json(await self._sum_up(request, body))

    async def _evaluate(self, request: Request) -> Response:
        body = await read_body(request, schemas.V1EvaluateRequest)
        check_payload(body.payload, self._evaluator.payload_type)
        answer = schemas.V1EvaluateResponse(
            run_id=body.run_id, task_id=body.task_id, status=EvalStatus.ERROR
        )
        try:
            dataset = await self._dataset(request, body.dataset)
            row = _row(dataset, body.task_id)
        except VersionNotFoundError:
            raise
        except (HTTPException, DatasetError) as error:
            reason = error.detail if isinstance(error, HTTPException) else describe(error)
            answer.errors = [self._redactor.clean_text(reason)]
            return _json(answer)
        answer.evaluator_version = self._evaluator.version(dataset)
        with self._exclusive(body.run_id, dataset.name, body.task_id):
            async with self._response(body) as response:
                try:
                    answer.result = await self._evaluator.evaluate(row, response)
                    answer.status = EvalStatus.EVALUATED
                except EvaluationError as error:
                    answer.errors = [str(error)]
        return _json(answer)

    @contextlib.asynccontextmanager
    async def _response(self, body: schemas.V1EvaluateRequest) -> AsyncGenerator[str | Path]:
        """Give the text to evaluate, or the file."""
        if body.payload.type == "text":
            yield body.payload.data
            return
        async with self._submissions.copy_of(body.run_id, body.task_id, body.payload.data) as path:
            yield path

    async def _upload_url(self, request: Request) -> Response:
        body = await read_body(request, SubmissionRequest)
        _row(await self._dataset(request, body.dataset), body.task_id)
        if self._evaluator.payload_type != "artifact":
            raise HTTPException(400, NO_ARTIFACTS)
        return _json(self._submissions.address(body, request))

    async def _score(self, request: Request) -> Response:
        body = await read_body(request, schemas.V1ScoreRequest)
        score = await self._sum_up(request, body)
        return _json(schemas.V1ScoreResponse(run_id=body.run_id, **score.model_dump()))

    async def _sum_up(
        self, request: Request, body: schemas.FinalScoreRequest
    ) -> schemas.FinalScoreResponse:
        dataset = await self._dataset(request, body.dataset)
        for task_id in body.evaluation_results:
            _row(dataset, task_id)
        return sum_up(
            body.evaluation_results,
            self._task_score,
            tasks_in_dataset=len(dataset.rows),
            bare_results=not isinstance(body, schemas.V1ScoreRequest),
        )

    async def _dataset(self, request: Request, name: str | None) -> LocalDataset:
        return await self._catalog.dataset(name, request.headers)

    def _answer_error(self, _request: Request, error: Exception) -> Response:
        if isinstance(error, InvalidBodyError):
            return JSONResponse({"detail": self._redactor.clean_value(error.problems)}, 422)
        status, headers, detail = 500, None, describe(error)
        if isinstance(error, HTTPException):
            status, headers, detail = error.status_code, error.headers, error.detail
        return JSONResponse({"detail": self._redactor.clean_text(detail)}, status, headers)

    @contextlib.contextmanager
    def _exclusive(self, run_id: str, dataset: str, task_id: str) -> Generator[None]:
        evaluation = (run_id, dataset, task_id)
        if evaluation in self._in_progress:
            raise HTTPException(409, f"Task {task_id} of run {run_id} is being evaluated right now")
        self._in_progress.add(evaluation)
        try:
            yield
        finally:
            self._in_progress.discard(evaluation)


def _row(dataset: LocalDataset, task_id: str) -> dict[str, JsonValue]:
    row = dataset.rows.get(task_id)
    if row is None:
        raise HTTPException(400, f"Task ID not found: {task_id}")
    return row


def _slice(task_ids: list[str], text: str | None) -> list[str]:
    if text is None:
        return task_ids
    try:
        bounds = [int(part) if part else None for part in text.split(":")]
        if len(bounds) > 1:
            return task_ids[slice(*bounds)]
    except (ValueError, TypeError):  # not a number, a step of 0, or too many parts
        pass
    raise HTTPException(400, f"Invalid slice: {text}")


def _json(answer: BaseModel) -> Response:
    return Response(answer.model_dump_json(by_alias=True), media_type="application/json")
