"""Checks of the service before anything is paid for.

First ``/health``, then one authenticated call that costs no quota, for a ``/v1`` runner one of its
paths, for one that evaluates over the WebSocket an unused connection, and ``/version``, if it was
not asked before for the version of the dataset. Only a clear "no" stops the run: other answers are
inconclusive, as trial tenants and older services lack some of these paths.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from benchmark_runner._secrets import BEARER_VARIABLE
from benchmark_runner.client.status import (
    is_about_dataset,
    is_about_path,
    is_about_task,
    is_about_version,
    is_final,
    is_settled,
    leaves_only_v1,
)
from benchmark_runner.errors import (
    AuthenticationError,
    NotFoundError,
    PermissionDeniedError,
    RejectedRequestError,
    ServiceError,
    UnsupportedError,
)
from benchmark_runner.schemas import UploadUrlRequest, VersionResponse

if TYPE_CHECKING:
    from benchmark_runner.client.retry import RetryPolicy
    from benchmark_runner.client.service_client import BenchmarkServiceClient


__all__ = ["check_service", "fetch_version"]

#: What evaluates files, or in a sandbox, does so by ``/v1`` only.
_MODES_OF_V1 = frozenset({"in_process_artifact", "in_process_materialized_artifact", "sandbox"})
_USE_V1 = 'Set EVALUATION_API = "v1" in runner/benchmark.py.'
_USE_LEGACY = 'Set EVALUATION_API = "legacy" in runner/benchmark.py.'


async def check_service(
    client: BenchmarkServiceClient,
    task_id: str,
    dataset_name: str | None,
    evaluation_api: str,
    *,
    own_evaluate: bool = False,
    listed: bool = False,
    uploads_for: str | None = None,
) -> VersionResponse:
    """Stop a run whose evaluations could not count, by asking about any one of its tasks.

    Args:
        client: The client of the service.
        task_id: A task that is to be evaluated.
        dataset_name: The service's name of the dataset; ``None`` for its default one.
        evaluation_api: ``legacy``, ``v1`` or ``websocket``.
        own_evaluate: Whether the author's ``evaluate()`` may grade elsewhere: then only a refused
            key stops the run.
        listed: Whether the tasks are from the service's own list, a ``/v1`` path.
        uploads_for: The run whose answers are files; ``None`` where they are text.

    Returns:
        The service's versions, as far as they are known.

    Raises:
        ServiceUnavailableError: the service does not answer, or says that it is not well.
        AuthenticationError: the key is not accepted, or one is required.
        PermissionDeniedError: the key may not use this dataset, or not this API.
        NotFoundError: the service does not know the task, or has no ``/v1`` or no WebSocket.
        RejectedRequestError: the service does not know the task.
        BadResponseError: an answer is not of the version that the client is pinned to.
        UnsupportedError: the API can't serve the way in which the service evaluates.
    """
    await client.health()
    uses_v1 = evaluation_api == "v1"
    if uses_v1 and client.auth_name == BEARER_VARIABLE:
        raise PermissionDeniedError(
            f"the /v1 API of {client.base_url} does not accept the legacy key in {BEARER_VARIABLE}",
            hint="Set VALS_AUTH_KEY.",
        )
    try:
        await client.verify_task_ids([task_id], dataset=dataset_name)
    except ServiceError as error:
        _refuse_key(error, uses_v1=uses_v1)
        if client.pinned is not None and is_about_version(error) and not own_evaluate:
            raise
        if is_about_task(error, task_id) and not own_evaluate:
            error.hint = _unknown_task(client, dataset_name)
            raise
    uses_websocket = evaluation_api == "websocket"
    if uses_websocket and not (own_evaluate or client.local):
        await _check_websocket(client, dataset_name)
    if uses_v1 and not listed:
        await _check_v1(client, dataset_name, own_evaluate=own_evaluate)
    if uploads_for is not None and not own_evaluate:
        await _check_uploads(client, uploads_for, task_id, dataset_name)
    version = client.versions or await fetch_version(client, dataset_name) or VersionResponse()
    mode = version.eval_mode
    if mode in _MODES_OF_V1 and not (uses_v1 or uses_websocket or own_evaluate):
        raise UnsupportedError(
            f"the service at {client.base_url} evaluates in the mode {mode!r}, which its legacy "
            "API does not offer",
            hint=_USE_V1,
        )
    return version


async def fetch_version(
    client: BenchmarkServiceClient, dataset_name: str | None, *, retry: RetryPolicy | None = None
) -> VersionResponse | None:
    """Return the versions of the service; ``None`` without a usable answer."""
    try:
        return await client.version(dataset_name, retry=retry)
    except ServiceError:
        return None


async def _check_websocket(client: BenchmarkServiceClient, dataset_name: str | None) -> None:
    from benchmark_runner.client.websocket_evaluation import find_websocket

    try:
        await find_websocket(client, dataset_name)
    except ServiceError as error:
        if not is_final(error):
            return
        if leaves_only_v1(error):
            error.hint = f"The key reaches only /v1. {_USE_V1}"
        error.hint = error.hint or f"The service opens no WebSocket. {_USE_LEGACY}"
        raise


async def _check_v1(
    client: BenchmarkServiceClient, dataset_name: str | None, *, own_evaluate: bool
) -> None:
    dataset = "default" if dataset_name is None else dataset_name
    try:
        await client.find_v1(dataset)
    except NotFoundError as error:
        if is_about_path(error, dataset) and not own_evaluate:
            error.hint = f"The service has no /v1 API. {_USE_LEGACY}"
            raise
    except ServiceError as error:
        _refuse_key(error, uses_v1=True)
        if client.pinned is not None and is_about_version(error) and not own_evaluate:
            raise


async def _check_uploads(
    client: BenchmarkServiceClient, run_id: str, task_id: str, dataset_name: str | None
) -> None:
    """Ask for an upload, which costs no quota, and make none."""
    from benchmark_runner.client.upload import ask_upload_url

    request = UploadUrlRequest(
        run_id=run_id, task_id=task_id, dataset=dataset_name, filename="artifact"
    )
    try:
        await ask_upload_url(client, request, retry=client.calls.quick_retry)
    except (AuthenticationError, PermissionDeniedError):
        raise
    except ServiceError as error:
        if is_about_task(error, task_id):
            error.hint = _unknown_task(client, dataset_name)
            is_clear = True
        elif isinstance(error, NotFoundError):
            is_clear = is_about_path(error, "default" if dataset_name is None else dataset_name)
        elif error.status_code is None:
            is_clear = isinstance(error, RejectedRequestError)  # an id can't be part of a key
        elif error.status_code == HTTPStatus.UNPROCESSABLE_ENTITY and "+" in run_id + task_id:
            error.hint = "The service takes no '+' in the ids of runs and tasks: use other ids."
            is_clear = True
        else:
            is_clear = is_settled(error.status_code, error.detail)
        if is_clear:
            raise


def _refuse_key(error: ServiceError, *, uses_v1: bool) -> None:
    """Raise the error if it says that the key can't be used for what is to be evaluated."""
    if isinstance(error, AuthenticationError):
        raise error
    if isinstance(error, PermissionDeniedError):
        if is_about_dataset(error):
            raise error
        if leaves_only_v1(error) and not uses_v1:
            error.hint = f"The key reaches only /v1. {_USE_V1}"
            raise error


def _unknown_task(client: BenchmarkServiceClient, dataset_name: str | None) -> str:
    if client.local:
        return (
            "Add the task to the datasets in data/, or give --skip-eval to generate without "
            "evaluating."
        )
    named = "" if dataset_name is None else f" {dataset_name!r}"
    return (
        f"Check that the service has the dataset{named}: set dataset_name in the dataset file, "
        "--dataset-name or SERVICE_URL to the right one. --skip-eval generates without evaluating."
    )
