"""Opens WebSocket connections to the service, each of which has a place among the requests."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import httpx

from benchmark_runner.client.adaptive_limit import AdaptiveLimit
from benchmark_runner.client.call import Call, Service
from benchmark_runner.client.channel import Channel, ChannelTransport, HandshakeRefusedError
from benchmark_runner.client.failure import connection_failure, refusal, unavailable
from benchmark_runner.client.retry import TransientError
from benchmark_runner.client.version_header import VERSION_HEADER
from benchmark_runner.errors import UnsupportedError
from benchmark_runner.schemas import DatasetVersion

__all__ = ["ChannelOpener"]

#: Seconds for a connection to be open: what is behind it may start up first.
_HANDSHAKE_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class ChannelOpener:
    """The opener of WebSocket connections to one service.

    Attributes:
        service: The service.
        limit: The limit on requests at a time.
        transport: The transport of the requests.
        headers: The headers of each connection.
    """

    service: Service
    limit: AdaptiveLimit
    transport: httpx.AsyncBaseTransport
    headers: Mapping[str, str] = field(repr=False)

    @asynccontextmanager
    async def open(self, call: Call, pinned: DatasetVersion | None) -> AsyncGenerator[Channel]:
        """Open a connection for a call, which has a place until the end of the block.

        Raises:
            TransientError: it can't be opened, but another attempt may succeed.
            ServiceError: it can't be opened.
        """
        headers = {**self.headers, **({VERSION_HEADER: pinned.id} if pinned is not None else {})}
        async with self.limit as began, AsyncExitStack() as stack:
            try:
                channel = await self._handshake(call, headers, stack)
            except HandshakeRefusedError as refused:
                failure = refusal(call, self.service, refused.answer)
                if isinstance(failure, TransientError) and failure.lacks_capacity:
                    self.limit.cut(began)
                raise failure from None
            self.limit.grow()
            yield channel

    async def _handshake(
        self, call: Call, headers: Mapping[str, str], stack: AsyncExitStack
    ) -> Channel:
        if not isinstance(self.transport, ChannelTransport):
            cause = "this transport has no WebSocket"
            raise UnsupportedError(call.failed(self.service, cause))
        deadline = asyncio.timeout(_HANDSHAKE_TIMEOUT)
        try:
            async with deadline:
                opened = self.transport.open_channel(self.service.url + call.path, headers)
                return await stack.enter_async_context(opened)
        except (httpx.TransportError, OSError) as error:
            if deadline.expired():
                raise TransientError(f"no connection within {_HANDSHAKE_TIMEOUT:g} s") from None
            raise connection_failure(self.service, error) from None
        except (ValueError, ArithmeticError, ExceptionGroup) as error:
            # The libraries below can't use the address; retrying will not help.
            failure = connection_failure(self.service, error)
            raise unavailable(call, self.service, failure) from None
