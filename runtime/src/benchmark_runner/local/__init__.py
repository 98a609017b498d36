"""The embedded benchmark service: evaluates on this machine, in-process or on a port."""

from benchmark_runner.client.endpoint import DESCOPE_HEADER
from benchmark_runner.client.retry import RetryPolicy
from benchmark_runner.client.service_client import BenchmarkServiceClient
from benchmark_runner.local.app import LocalService
from benchmark_runner.local.transport import EmbeddedTransport

__all__ = ["local_client"]


def local_client(service: LocalService, timeout: float = 300.0) -> BenchmarkServiceClient:
    """Return a client that reaches ``service`` in this process, by the same HTTP requests.

    An evaluation may take ``timeout`` seconds. Nothing is retried: no network is in between, and
    a grader that fails on a response is likely to fail on it again.
    """
    return BenchmarkServiceClient(
        "http://local",
        headers={DESCOPE_HEADER: service.key} if service.key is not None else None,
        timeout=timeout,
        retry=RetryPolicy(attempts=1),
        transport=EmbeddedTransport(service),
        max_connections=1000,
        local=True,
    )
