"""The check of the Host header: no web page reaches a service by a name of its own."""

import ipaddress
import socket
from collections.abc import Iterable

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["HostCheck"]


class HostCheck:
    """An ASGI app that refuses requests to another host than those of a service.

    Args:
        app: The service.
        address: The address that it listens on. On loopback, only names of this machine are
            allowed; else also any address, this machine's name, and names without a dot, as in a
            network of containers. None of them can be a name of somebody else's web page.
        allowed: Further names.
    """

    def __init__(self, app: ASGIApp, address: str, allowed: Iterable[str] = ()) -> None:
        self._app = app
        self._is_local = ipaddress.ip_address(address).is_loopback
        self._names = {name.strip().rstrip(".").lower() for name in ("localhost", *allowed)}
        if not self._is_local:
            self._names |= {socket.gethostname().lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request or WebSocket; the server passes on nothing else."""
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        named = [
            _without_port(value.decode("latin-1")) for name, value in headers if name == b"host"
        ]
        refused = [host for host in named if not self._is_allowed(host)]
        app: ASGIApp = self._app
        if scope["type"] == "websocket" and not _is_same_origin(headers):
            # Browsers let any page open one, and read it, under the name of its own.
            app = JSONResponse({"detail": "Origin not allowed"}, status_code=403)
        if refused:
            detail = f"Host not allowed: {refused[0]}; serve takes it with --allow-host"
            app = JSONResponse({"detail": detail}, status_code=400)
        await app(scope, receive, send)

    def _is_allowed(self, host: str) -> bool:
        if host in self._names or host.endswith(".localhost"):
            return True
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return not self._is_local and "." not in host
        return address.is_loopback or not self._is_local


def _is_same_origin(headers: list[tuple[bytes, bytes]]) -> bool:
    sent = dict(headers)
    origin = sent.get(b"origin")
    return origin is None or origin.partition(b"://")[2] == sent.get(b"host")


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].strip().rstrip(".").lower()
