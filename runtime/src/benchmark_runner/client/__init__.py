"""The client of the benchmark service; its names are imported on first use."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmark_runner.client.service_client import BenchmarkServiceClient, build_client

__all__ = ["BenchmarkServiceClient", "build_client"]


def __getattr__(name: str) -> object:
    # The network's libraries are slow to import, and most modules here need none of them.
    if name not in __all__:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    value: object = getattr(import_module(f"{__name__}.service_client"), name)
    return value
