"""A WebSocket connection to the service, whatever carries it."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol, runtime_checkable

from benchmark_runner.client.response import Answer

__all__ = [
    "LARGEST_MESSAGE", "Channel", "ChannelClosedError", "ChannelTransport", "HandshakeRefusedError",
]  # fmt: skip

#: Bytes of a message that is read.
LARGEST_MESSAGE = 10 * 1024**2


class HandshakeRefusedError(Exception):
    """The service's HTTP answer to a request for a WebSocket."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class ChannelClosedError(Exception):
    """The end of a connection: its close code, ``None`` where it broke off, and the reason."""

    def __init__(self, code: int | None, reason: str = "") -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Channel(Protocol):
    """An open WebSocket connection."""

    async def send(self, text: str) -> None:
        """Send a message.

        Raises:
            ChannelClosedError: the connection has ended.
        """

    async def receive(self) -> str:
        """Return the next message; may be cancelled and called again.

        Raises:
            ChannelClosedError: the connection has ended.
            UnreadableError: the message is no text, or larger than :data:`LARGEST_MESSAGE`.
        """
        raise NotImplementedError


@runtime_checkable
class ChannelTransport(Protocol):
    """A transport that can open WebSocket connections, too."""

    def open_channel(
        self, url: str, headers: Mapping[str, str]
    ) -> AbstractAsyncContextManager[Channel]:
        """Open a connection to an http or https URL, and close it at the end of the block.

        Raises:
            HandshakeRefusedError: the service answers with another status than 101.
            httpx.TransportError: no connection can be made.
        """
        raise NotImplementedError
