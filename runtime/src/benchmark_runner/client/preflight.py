"""Checks of the service before anything is paid for.

First ``/health``, then one authenticated call that costs no quota. Only a clear "no" stops the
run: other answers are inconclusive, as trial tenants and older services lack that path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark_runner._secrets import BEARER_VARIABLE
from benchmark_runner.errors import AuthenticationError, PermissionDeniedError, ServiceError

if TYPE_CHECKING:
    from benchmark_runner.client.retry import RetryPolicy
    from benchmark_runner.client.service_client import BenchmarkServiceClient
    from benchmark_runner.schemas import VersionResponse


__all__ = ["check_service", "fetch_version"]


async def check_service(
    client: BenchmarkServiceClient, task_id: str, dataset_name: str | None, evaluation_api: str
) -> None:
    """Stop a run whose evaluations could not work, by asking about any one of its tasks.

    Raises:
        ServiceUnavailableError: the service does not answer.
        AuthenticationError: the key is not accepted, or one is required.
        PermissionDeniedError: the key may not use this dataset, or not this API.
    """
    await client.health()
    if evaluation_api == "v1" and client.auth_name == BEARER_VARIABLE:
        raise PermissionDeniedError(
            f"the /v1 API of {client.base_url} does not accept the legacy key in {BEARER_VARIABLE}",
            hint="Set VALS_AUTH_KEY.",
        )
    try:
        await client.verify_task_ids([task_id], dataset=dataset_name)
    except ServiceError as error:
        about_dataset = "dataset" in (error.detail or "").lower()
        is_denied = isinstance(error, PermissionDeniedError) and about_dataset
        if is_denied or isinstance(error, AuthenticationError):
            raise


async def fetch_version(
    client: BenchmarkServiceClient, dataset_name: str | None, *, retry: RetryPolicy | None = None
) -> VersionResponse | None:
    """Return the versions of the service; ``None`` without a usable answer."""
    try:
        return await client.version(dataset_name, retry=retry)
    except ServiceError:
        return None
