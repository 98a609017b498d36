"""The part of a runner that has the client of the benchmark service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark_runner.base.inputs import InputSource

if TYPE_CHECKING:
    from benchmark_runner.client.service_client import BenchmarkServiceClient

__all__ = ["ServiceUser"]


class ServiceUser:
    """A user of one benchmark service, with at most so many ``connections`` to it."""

    def __init__(self, service_url: str, connections: int) -> None:
        self.service_url = service_url
        self.input_source = InputSource(self._connected)
        """The service of the inputs; a run sets another one."""
        self._connections = connections
        self._service_client: BenchmarkServiceClient | None = None

    @property
    def service(self) -> BenchmarkServiceClient:
        """The client of the benchmark service; settable."""
        if self._service_client is None:
            from benchmark_runner.client.service_client import build_client

            self._service_client = build_client(self.service_url, max_connections=self._connections)
        return self._service_client

    @service.setter
    def service(self, client: BenchmarkServiceClient) -> None:
        self._service_client = client

    async def aclose(self) -> None:
        """Close the connections to the benchmark service."""
        if self._service_client is not None:
            await self._service_client.aclose()

    async def _connected(self) -> BenchmarkServiceClient:
        return self.service

    # Runners of the earlier framework, and their tests, use this name.
    _client = service
