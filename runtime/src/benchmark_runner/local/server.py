"""The embedded service on a port, for a team, a container or a test."""

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Generator, Sequence
from types import FrameType
from typing import cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from benchmark_runner._concurrency.run_loop import OnStray, RunLoop
from benchmark_runner.errors import UsageError
from benchmark_runner.local.app import LocalService
from benchmark_runner.local.bodies import MAX_BODY
from benchmark_runner.local.host_check import HostCheck
from benchmark_runner.local.submissions import UPLOADS

__all__ = ["Server", "serve"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
#: Seconds that running evaluations get to finish after a signal.
_GRACE = 5
#: Seconds in which a request must have arrived, its body included; of an upload, each part.
REQUEST_WITHIN = 60.0


def serve(
    service: LocalService,
    host: str,
    port: int,
    on_ready: Callable[[str], None],
    on_stray: OnStray,
    allowed_hosts: Sequence[str] = (),
) -> int | None:
    """Serve until SIGINT or SIGTERM, finish the running requests, and return the signal.

    Port 0 takes a free one; ``on_ready`` is called with the URL once it answers. ``on_stray`` gets
    the errors of a grader's code that nobody waits for. Requests may name the ``host`` and the
    ``allowed_hosts``.

    Raises:
        UsageError: the host or port can't be listened on.
    """
    with contextlib.closing(_listener(host, port)) as listener:
        address: str = listener.getsockname()[0]
        app = HostCheck(service, address.partition("%")[0], (host, *allowed_hosts))
        server = Server(app, listener, on_ready)
        loop = RunLoop(on_stray)
        try:
            loop.run_until_complete(server.serve(sockets=[listener]))
        finally:
            loop.end()
            service.close()
        return server.ended_by


class Server(uvicorn.Server):
    """A quiet uvicorn on a bound socket, which reports its URL once it answers."""

    def __init__(
        self, app: ASGIApp, listener: socket.socket, on_ready: Callable[[str], None]
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=_BoundedProtocol,
                log_config=None,
                log_level="critical",
                access_log=False,
                lifespan="off",
                ws="auto",
                ws_max_size=MAX_BODY,
                timeout_graceful_shutdown=_GRACE,
            )
        )
        # Answers at once: asyncio sees to that only for sockets that name their protocol.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.ended_by: int | None = None
        self._url = _url(listener)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then report the URL."""
        await super().startup(sockets=sockets)
        self._on_ready(self._url)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Stop at a signal, without raising it again: the caller says how it ended."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._stop) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        self.force_exit = self.should_exit
        self.should_exit = True
        self.ended_by = self.ended_by or number


class _BoundedProtocol(H11Protocol):
    """A connection that is closed if a request does not arrive in time."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._bound()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        cycle = cast("RequestResponseCycle | None", self.cycle)
        if cycle is not None and cycle.scope["path"].startswith(UPLOADS):
            self._set_timer(None)
        self._bound()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._set_timer(None)

    def _bound(self) -> None:
        cycle = cast("RequestResponseCycle | None", self.cycle)
        if self.transport.get_protocol() is not self:  # it has become a WebSocket
            self._set_timer(None)
        elif cycle is None or cycle.response_complete or cycle.more_body:
            if self._timer is None:
                self._set_timer(self.loop.call_later(REQUEST_WITHIN, self.transport.abort))
        else:
            self._set_timer(None)

    def _set_timer(self, timer: asyncio.TimerHandle | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = timer


def _listener(host: str, port: int) -> socket.socket:
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"could not listen on {host} port {port}: {reason}",
            hint="Choose another --port (0 takes a free one) or --host.",
        ) from None


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
