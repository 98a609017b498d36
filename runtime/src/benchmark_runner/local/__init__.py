"""The embedded benchmark service: evaluates on this machine, in-process or on a port."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmark_runner.client.retry import RetryNotice, RetryPolicy
    from benchmark_runner.client.service_client import BenchmarkServiceClient
    from benchmark_runner.local.app import LocalService

__all__ = ["local_client"]


def local_client(
    service: LocalService,
    timeout: float = 300.0,
    *,
    retry: RetryPolicy | None = None,
    max_connections: int = 1000,
    on_retry: Callable[[RetryNotice], None] | None = None,
) -> BenchmarkServiceClient:
    """Return a client that reaches ``service`` in this process, by the same HTTP requests.

    By default nothing is retried: no network is in between, and a grader that fails on a response
    is likely to fail on it again. Times are in seconds.
    """
    import httpx

    from benchmark_runner.client.endpoint import DESCOPE_HEADER
    from benchmark_runner.client.retry import RetryPolicy
    from benchmark_runner.client.service_client import BenchmarkServiceClient

    return BenchmarkServiceClient(
        "http://local",
        headers={DESCOPE_HEADER: service.key} if service.key is not None else None,
        timeout=timeout,
        retry=retry or RetryPolicy(attempts=1),
        transport=httpx.ASGITransport(app=service, raise_app_exceptions=False),
        max_connections=max_connections,
        local=True,
        on_retry=on_retry,
    )
