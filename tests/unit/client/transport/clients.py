"""Clients of httpx over its own transport and over ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

from benchmark_runner.client.transport import AiohttpTransport

if TYPE_CHECKING:
    import ssl

Certificate = str | tuple[str, str] | tuple[str, str, str]


class AiohttpClient(httpx.AsyncClient):
    """A client of httpx over our transport, to be compared with httpx's own."""

    def _init_transport(
        self,
        verify: ssl.SSLContext | str | bool = True,
        cert: Certificate | None = None,
        trust_env: bool = True,
        *_: Any,
        transport: httpx.AsyncBaseTransport | None = None,
        **__: Any,
    ) -> httpx.AsyncBaseTransport:
        return transport or AiohttpTransport(httpx.create_ssl_context(verify, cert, trust_env))

    def _init_proxy_transport(
        self,
        proxy: httpx.Proxy,
        verify: ssl.SSLContext | str | bool = True,
        cert: Certificate | None = None,
        trust_env: bool = True,
        *_: Any,
        **__: Any,
    ) -> httpx.AsyncBaseTransport:
        return AiohttpTransport(httpx.create_ssl_context(verify, cert, trust_env), proxy)
