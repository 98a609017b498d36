"""The evaluation of an artifact: upload it, then have it evaluated by its key."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from benchmark_runner._concurrency.thread_pool import run_in_thread
from benchmark_runner.client.scoring import evaluate_v1
from benchmark_runner.client.status import wants_another_upload
from benchmark_runner.client.upload import upload
from benchmark_runner.errors import ServiceError
from benchmark_runner.schemas import UploadUrlRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmark_runner.artifacts.kept_file import KeptFile
    from benchmark_runner.client.service_client import BenchmarkServiceClient
    from benchmark_runner.schemas import EvalResult, V1EvaluateRequest

__all__ = ["evaluate_artifact"]

#: Uploads of one evaluation, each followed by a request that is paid.
_UPLOADS = 3
_LOST = (
    "The service does not find, or keep, what was uploaded: run the same command again later, or "
    "tell those who run the service."
)


async def evaluate_artifact(
    client: BenchmarkServiceClient, request: V1EvaluateRequest, open_file: Callable[[], KeptFile]
) -> EvalResult:
    """Upload the file of a generation and evaluate it; again if the service has lost it.

    Args:
        client: The client of the service.
        request: The request to evaluate, which gets the key of the upload.
        open_file: Opens the file, if it is as it was kept; called in a thread.

    Raises:
        ServiceError: the service can't evaluate it.
        UnusableArtifactError: it is not as it was kept.
    """
    left = _UPLOADS
    while True:
        left -= 1
        payload = request.payload.model_copy(
            update={"data": await _upload(client, request, open_file)}
        )
        try:
            return await evaluate_v1(client, request.model_copy(update={"payload": payload}))
        except ServiceError as error:
            if not wants_another_upload(error, request.task_id, payload.data):
                _explain(error)
                raise
            if not left:
                error.hint = _LOST
                raise


async def _upload(
    client: BenchmarkServiceClient, request: V1EvaluateRequest, open_file: Callable[[], KeptFile]
) -> str:
    file = await run_in_thread(open_file)
    try:
        wanted = UploadUrlRequest(
            run_id=request.run_id,
            task_id=request.task_id,
            dataset=request.dataset,
            filename=file.artifact.filename,
        )
        return await upload(client, wanted, file)
    finally:
        file.close()


def _explain(error: ServiceError) -> None:
    if error.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        error.hint = "Make the artifact smaller; retrying will not help."
    elif error.status_code == HTTPStatus.BAD_REQUEST and "artifact" in (error.detail or ""):
        error.hint = (
            "The service evaluates text here: check the dataset and SERVICE_URL or --service-url, "
            'or set PAYLOAD_TYPE = "text" in runner/benchmark.py.'
        )
