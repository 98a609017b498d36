"""The client of the benchmark service.

Names are imported on first use, so that a retry policy or the meaning of a status costs no
HTTP library.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from benchmark_runner.client.key_log import forget_unwritable_key_log

if TYPE_CHECKING:
    from benchmark_runner.client.endpoint import auth_headers
    from benchmark_runner.client.retry import RetryNotice, RetryPolicy
    from benchmark_runner.client.service_client import BenchmarkServiceClient, build_client

__all__ = ["BenchmarkServiceClient", "RetryNotice", "RetryPolicy", "auth_headers", "build_client"]

_HOMES = {"RetryNotice": "retry", "RetryPolicy": "retry", "auth_headers": "endpoint"}


forget_unwritable_key_log()


def __getattr__(name: str) -> object:
    if name not in __all__:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    home = _HOMES.get(name, "service_client")
    value: object = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value
