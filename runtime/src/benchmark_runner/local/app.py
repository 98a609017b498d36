"""The embedded benchmark service: the HTTP surface of the service contract as an ASGI app.

The same client talks to it as to a deployed service, in-process or on a port, and it answers
as that would: authentication first, then the path, then the body.
"""

import asyncio
import contextlib
import hmac
from collections.abc import Generator
from functools import partial
from typing import cast

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
from benchmark_runner.errors import DatasetError, UsageError, describe
from benchmark_runner.local.datasets import LocalDataset, LocalDatasets, fingerprint
from benchmark_runner.local.grader import Grader, TaskScore, describe_failure, grade, source_hash
from benchmark_runner.local.request_body import InvalidBodyError, check_payload, read_body
from benchmark_runner.local.sum_up import sum_up
from benchmark_runner.schemas import EvalStatus

__all__ = ["LocalService"]

_DEFAULT_DATASET = "default"
_OPEN_PATHS = frozenset({"/health", "/version"})
_BEARER_ON_V1 = (
    "The /v1/ surface requires Descope authentication; legacy bearer auth is not accepted."
)


class LocalService:
    """An ASGI app that evaluates with an author's grader.

    Args:
        name: The benchmark's name.
        datasets: The datasets that clients can name.
        grader: Gets the whole raw task and the response, returns any JSON.
        key: The key that clients must send as ``x-descope-api-key`` (a bearer key on the legacy
            paths only); ``None`` lets everyone in.
        default_dataset: The dataset of a request without one, where none is named ``default``.
        task_score: Returns the task score of a grader's result; ``None`` is an error of the
            evaluation, and of the score request.
        scores_elsewhere: Accept results of which ``task_score`` makes no number, as the runner's
            own ``score()`` reads them.
        redactor: Masks secrets in results and errors, for clients in other processes.

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
        task_score: TaskScore = default_task_score,
        scores_elsewhere: bool = False,
        redactor: Redactor | None = None,
    ) -> None:
        # An empty key would be "sent" by everyone.
        if key is not None and not (key.strip() == key != "" and key.isascii()):
            raise UsageError(
                "the key is empty, or holds characters that no header can carry",
                hint="Give --key letters and digits, or leave it out to let everyone in.",
            )
        self.name = name
        self.datasets = datasets
        self.key = key
        self._grader = grader
        self._default_dataset = default_dataset
        self._task_score = task_score
        self._grade = partial(grade, grader, task_score=None if scores_elsewhere else task_score)
        self._redactor = redactor or Redactor()
        self._grader_version = source_hash(grader)
        self._found: dict[str | None, LocalDataset] = {}
        self._in_progress: set[tuple[str, str, str]] = set()
        self._app = Starlette(
            routes=[
                Route("/health", self._health),
                Route("/version", self._version),
                Route("/verify-task-ids", self._verify_task_ids),
                Route("/v1/datasets/{dataset:path}/tasks", self._list_tasks),
                Route("/evaluate-response/", self._evaluate_response, methods=["POST"]),
                Route("/final-score/", self._final_score, methods=["POST"]),
                Route("/v1/evaluate", self._evaluate, methods=["POST"]),
                Route("/v1/score", self._score, methods=["POST"]),
            ],
            exception_handlers=dict.fromkeys(
                (HTTPException, InvalidBodyError, DatasetError, Exception), self._answer_error
            ),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        app = self._app if scope["type"] != "http" else self._refusal(scope) or self._app
        await app(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        path: str = scope["path"]
        if self.key is None or path in _OPEN_PATHS:
            return None
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        sent = dict(headers)
        # Both are always compared, so that the time taken tells nothing.
        by_header = self._is_key(sent.get(b"x-descope-api-key", b""))
        scheme, _, token = sent.get(b"authorization", b"").partition(b" ")
        by_bearer = self._is_key(token.strip()) and scheme.lower() == b"bearer"
        if by_header:
            return None
        if b"x-descope-api-key" in sent or not by_bearer:
            return JSONResponse({"detail": "Unauthorized"}, status_code=401)
        if path.startswith("/v1/"):
            return JSONResponse({"detail": _BEARER_ON_V1}, status_code=403)
        return None

    def _is_key(self, sent: bytes) -> bool:
        return hmac.compare_digest(sent, (self.key or "").encode())

    async def _health(self, _request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def _version(self, request: Request) -> Response:
        # Unknown versions are null, also when the dataset is unknown or malformed.
        dataset: LocalDataset | None = None
        with contextlib.suppress(HTTPException, DatasetError):
            dataset = await self._dataset(request.query_params.get("dataset"))
        return _json(
            schemas.VersionResponse(
                framework_version=installed_version(RUNTIME_DISTRIBUTION),
                service_name=f"{self.name} (local)",
                service_version=self._evaluator_version(dataset) if dataset else None,
                dataset_version=dataset.version if dataset else None,
                eval_mode="local",
                dataset_version_selection=False,
            )
        )

    async def _verify_task_ids(self, request: Request) -> Response:
        dataset = await self._dataset(request.query_params.get("dataset"))
        asked = request.query_params.getlist("task_ids")
        for task_id in asked:
            _row(dataset, task_id)
        chosen = _slice(asked or list(dataset.rows), request.query_params.get("slice"))
        return _json(schemas.VerifyTaskIdsResponse(task_ids=chosen))

    async def _list_tasks(self, request: Request) -> Response:
        dataset = await self._dataset(request.path_params["dataset"])
        return _json(
            schemas.TaskListResponse(
                dataset=dataset.name, dataset_version=dataset.version, tasks=dataset.tasks
            )
        )

    async def _evaluate_response(self, request: Request) -> Response:
        body = await read_body(request, schemas.EvaluateResponseRequest)
        row = _row(await self._dataset(body.dataset), body.task_id)
        try:
            result = await self._grade(row, body.response)
        except Exception as error:  # noqa: BLE001 (the author's code)
            raise HTTPException(500, describe_failure(self._grader, error)) from None
        return JSONResponse(self._redactor.clean_value(result))

    async def _final_score(self, request: Request) -> Response:
        body = await read_body(request, schemas.FinalScoreRequest)
        return _json(await self._sum_up(body))

    async def _evaluate(self, request: Request) -> Response:
        body = await read_body(request, schemas.V1EvaluateRequest)
        check_payload(body.payload)
        answer = schemas.V1EvaluateResponse(
            run_id=body.run_id, task_id=body.task_id, status=EvalStatus.ERROR
        )
        try:
            dataset = await self._dataset(body.dataset)
            row = _row(dataset, body.task_id)
        except (HTTPException, DatasetError) as error:
            reason = error.detail if isinstance(error, HTTPException) else describe(error)
            reason = self._redactor.clean_text(reason)
            return _json(answer.model_copy(update={"errors": [reason]}))
        answer.evaluator_version = self._evaluator_version(dataset)
        with self._exclusive(body.run_id, dataset.name, body.task_id):
            try:
                result = await self._grade(row, body.payload.data)
            except Exception as error:  # noqa: BLE001 (the author's code)
                failure = describe_failure(self._grader, error)
                answer.errors = [self._redactor.clean_text(failure)]
            else:
                answer.result = cast("JsonValue", self._redactor.clean_value(result))
                answer.status = EvalStatus.EVALUATED
        return _json(answer)

    async def _score(self, request: Request) -> Response:
        body = await read_body(request, schemas.V1ScoreRequest)
        score = await self._sum_up(body)
        return _json(schemas.V1ScoreResponse(run_id=body.run_id, **score.model_dump()))

    async def _sum_up(self, body: schemas.FinalScoreRequest) -> schemas.FinalScoreResponse:
        dataset = await self._dataset(body.dataset)
        for task_id in body.evaluation_results:
            _row(dataset, task_id)
        return sum_up(
            body.evaluation_results,
            self._task_score,
            tasks_in_dataset=len(dataset.rows),
            bare_results=not isinstance(body, schemas.V1ScoreRequest),
        )

    async def _dataset(self, name: str | None) -> LocalDataset:
        if name not in self._found:
            found = await asyncio.to_thread(self._find, name)
            if found is None:
                missing = name if name is not None else self._default_dataset or _DEFAULT_DATASET
                raise HTTPException(404, f"Dataset not found: {missing}")
            self._found[name] = found
        return self._found[name]

    def _find(self, name: str | None) -> LocalDataset | None:
        if name is not None:
            return self.datasets.get(name)
        if (named_default := self.datasets.get(_DEFAULT_DATASET)) is not None:
            return named_default
        name = self._default_dataset
        return self.datasets.only() if name is None else self.datasets.get(name)

    def _evaluator_version(self, dataset: LocalDataset) -> str:
        return fingerprint([self._grader_version, dataset.reference_version])

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
