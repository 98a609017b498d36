"""The embedded benchmark service: the HTTP surface of the service contract as an ASGI app.

The same client talks to it as to a deployed service, in-process or on a port, and it answers
as that would: authentication first, then the path, then the body.
"""

import contextlib
from collections.abc import Iterator

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from benchmark_runner import schemas
from benchmark_runner._redaction import Redactor
from benchmark_runner._scores import default_task_score
from benchmark_runner._versions import RUNTIME_DISTRIBUTION, installed_version
from benchmark_runner.errors import DatasetError, describe
from benchmark_runner.local.auth import Authentication
from benchmark_runner.local.bodies import InvalidBodyError, json_response, read_body
from benchmark_runner.local.catalog import Catalog, echo_version, task_row
from benchmark_runner.local.datasets import LocalDataset, LocalDatasets
from benchmark_runner.local.evaluation_requests import EvaluationRequests
from benchmark_runner.local.evaluator import Evaluator
from benchmark_runner.local.grader import Grader, TaskScore
from benchmark_runner.local.submissions import UPLOADS, Submissions
from benchmark_runner.local.sum_up import sum_up
from benchmark_runner.local.task_requests import TaskRequests
from benchmark_runner.local.websocket import EvaluationSocket, refuse_socket

__all__ = ["LocalService"]


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
        self._app = Starlette(
            routes=[*self._routes()],
            exception_handlers=dict.fromkeys(
                (HTTPException, InvalidBodyError, DatasetError, Exception), self._answer_error
            ),
        )

    def _routes(self) -> Iterator[BaseRoute]:
        tasks = TaskRequests(self._catalog, self.datasets.inputs)
        evaluations = EvaluationRequests(self._catalog, self._evaluator, self._submissions)
        socket = EvaluationSocket(self._catalog, self._evaluator)
        yield Route("/health", self._health)
        yield Route("/version", self._version)
        yield Route("/resolve-dataset", tasks.resolve_dataset, methods=["POST"])
        yield Route(UPLOADS + "{key:path}", self._submissions.put, methods=["PUT"])
        yield WebSocketRoute("/ws/evaluate-response", socket.serve)
        of_tasks = "/v1/datasets/{dataset:path}/tasks"
        for method, path, endpoint in (
            ("GET", "/verify-task-ids", tasks.verify_ids),
            ("GET", of_tasks, tasks.list_tasks),
            ("GET", of_tasks + "/{task_id}/inputs", tasks.list_inputs),
            ("GET", of_tasks + "/{task_id}/inputs/{filename}", tasks.send_input),
            ("POST", "/evaluate-response/", evaluations.evaluate_legacy),
            ("POST", "/final-score/", self._final_score),
            ("POST", "/v1/submissions/upload-url", evaluations.upload_url),
            ("POST", "/v1/evaluate", evaluations.evaluate_v1),
            ("POST", "/v1/score", self._score),
        ):
            yield Route(path, echo_version(endpoint), methods=[method])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        refused = self._authentication.refusal(scope)
        if refused is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await refuse_socket(WebSocket(scope, receive, send), refused[1])
        else:
            await JSONResponse({"detail": refused[1]}, refused[0])(scope, receive, send)

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
        wanted = [
            each for each in versions if each.version_id == request.query_params.get("version")
        ]
        dataset = next(iter(wanted or versions), None)
        return json_response(
            schemas.VersionResponse(
                framework_version=installed_version(RUNTIME_DISTRIBUTION),
                service_name=f"{self.name} (local)",
                service_version=self._evaluator.version(dataset) if dataset else None,
                dataset_version=dataset.label or dataset.version if dataset else None,
                eval_mode="local",
                dataset_version_selection=any(each.label for each in versions),
            )
        )

    async def _final_score(self, request: Request) -> Response:
        body = await read_body(request, schemas.FinalScoreRequest)
        return json_response(await self._sum_up(request, body))

    async def _score(self, request: Request) -> Response:
        body = await read_body(request, schemas.V1ScoreRequest)
        score = await self._sum_up(request, body)
        return json_response(schemas.V1ScoreResponse(run_id=body.run_id, **score.model_dump()))

    async def _sum_up(
        self, request: Request, body: schemas.FinalScoreRequest
    ) -> schemas.FinalScoreResponse:
        dataset = await self._catalog.dataset(body.dataset, request.headers)
        for task_id in body.evaluation_results:
            task_row(dataset, task_id)
        return sum_up(
            body.evaluation_results,
            self._task_score,
            tasks_in_dataset=len(dataset.rows),
            bare_results=not isinstance(body, schemas.V1ScoreRequest),
        )

    def _answer_error(self, _request: Request, error: Exception) -> Response:
        if isinstance(error, InvalidBodyError):
            return JSONResponse({"detail": self._redactor.clean_value(error.problems)}, 422)
        status, headers, detail = 500, None, describe(error)
        if isinstance(error, HTTPException):
            status, headers, detail = error.status_code, error.headers, error.detail
        return JSONResponse({"detail": self._redactor.clean_text(detail)}, status, headers)
