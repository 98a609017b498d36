"""The transport of requests: the API of httpx over the connections of aiohttp.

``docs/transport.md`` in the runtime's sources says why, and what depends on httpx.
"""

import base64
import ssl
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from http import HTTPStatus
from typing import cast

import aiohttp
import httpx
from aiohttp.connector import Connection
from yarl import URL

from benchmark_runner.client.call import PART
from benchmark_runner.client.channel import Channel

#: Seconds after which an unused connection is closed: before the 5 s after which many a server
#: closes it, as a request that is on its way by then is lost.
_KEEP_ALIVE = 4.0
#: The most bytes of a header that are read, as of httpx; aiohttp by itself reads 8,190.
_LONGEST_HEADER = 100 * 1024
#: The errors of httpx for those of aiohttp, the most specific first, with their messages.
_HTTPX_ERRORS: tuple[tuple[type[Exception], type[httpx.TransportError], str], ...] = (
    (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout, "no connection in time"),
    (aiohttp.ServerTimeoutError, httpx.ReadTimeout, "no answer in time"),
    (aiohttp.ClientHttpProxyError, httpx.ProxyError, "{0.status} {0.message}"),
    (aiohttp.ClientProxyConnectionError, httpx.ConnectError, "the proxy: {0.os_error}"),
    (aiohttp.ClientConnectorCertificateError, httpx.ConnectError, "{0.certificate_error}"),
    (aiohttp.ClientConnectorError, httpx.ConnectError, "{0.os_error}"),
    (aiohttp.ServerDisconnectedError, httpx.RemoteProtocolError, "disconnected without an answer"),
    (aiohttp.ClientPayloadError, httpx.RemoteProtocolError, "connection ended within the answer"),
    (aiohttp.ClientResponseError, httpx.RemoteProtocolError, "{0.message}"),
    (aiohttp.NonHttpUrlClientError, httpx.UnsupportedProtocol, "{0} is neither http nor https"),
    (Exception, httpx.ReadError, "{0}"),
)


__all__ = ["AiohttpTransport"]


class AiohttpTransport(httpx.AsyncBaseTransport):
    """A transport over connections that are kept and reused; their number has no limit."""

    def __init__(self, verify: ssl.SSLContext, proxy: httpx.Proxy | None = None) -> None:
        if proxy is not None and proxy.url.scheme not in ("http", "https"):
            raise ValueError(f"a proxy can't be {proxy.url.scheme}")
        self._verify = verify
        self._proxy = None if proxy is None else URL(str(proxy.url))
        self._proxy_headers = {} if proxy is None else _headers_for(proxy)
        self._session: aiohttp.ClientSession | None = None
        self._websockets: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return the answer, its body not read yet.

        Errors are of the class that httpx's own transport would raise.
        """
        session = self._session = self._session or self._new_session()
        seconds: Mapping[str, float | None] = request.extensions.get("timeout", {})
        url = request.url
        if url.userinfo:  # it is in the headers by now
            url = url.copy_with(userinfo=b"")
        headers = [(_text(name).lower(), _text(value)) for name, value in request.headers.raw]
        data: AsyncIterable[bytes] | bytes | None
        if "content-length" in request.headers and not isinstance(request.stream, httpx.ByteStream):
            data = cast("httpx.AsyncByteStream", request.stream)  # larger than what fits in memory
        else:
            content = await request.aread()
            data = _in_parts(content) if len(content) > PART else content or None
            if "transfer-encoding" in request.headers:  # of a body that has been read now
                headers = [header for header in headers if header[0] != "transfer-encoding"]
        if url.scheme == "http":  # of an https request, only the tunnel is the proxy's
            headers += self._proxy_headers.items()
        with _httpx_errors:
            answer = await session.request(
                request.method,
                URL(str(url), encoded=True),
                headers=headers,
                data=data,
                allow_redirects=False,
                proxy=self._proxy,
                proxy_headers=self._proxy_headers or None,
                timeout=aiohttp.ClientTimeout(
                    connect=seconds.get("connect"), sock_read=seconds.get("read")
                ),
            )
        return httpx.Response(
            answer.status,
            headers=answer.raw_headers,
            stream=_Body(answer),
            extensions={
                "http_version": b"HTTP/%d.%d" % (answer.version or aiohttp.HttpVersion11),
                "reason_phrase": (answer.reason or "").encode("ascii", "ignore"),
            },
        )

    @asynccontextmanager
    async def open_channel(self, url: str, headers: Mapping[str, str]) -> AsyncGenerator[Channel]:
        """Open a WebSocket connection, and close it at the end of the block."""
        from benchmark_runner.client.websocket import Handshake, open_websocket

        session = self._websockets = self._websockets or self._new_session(Handshake)
        if url.startswith("http:"):
            headers = {**headers, **self._proxy_headers}
        async with AsyncExitStack() as stack:
            with _httpx_errors:
                opened = open_websocket(session, url, headers, self._proxy, self._proxy_headers)
                channel = await stack.enter_async_context(opened)
            yield channel

    async def aclose(self) -> None:
        """Close every connection."""
        for session in (self._session, self._websockets):
            if session is not None:
                await session.close()

    def _new_session(
        self, response_class: type[aiohttp.ClientResponse] | None = None
    ) -> aiohttp.ClientSession:
        # Not before the first request: it belongs to the loop that runs then.
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0, keepalive_timeout=_KEEP_ALIVE, ssl=self._verify
            ),
            timeout=aiohttp.ClientTimeout(),  # none but that of a request
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            response_class=response_class or _Answer,
            skip_auto_headers=("accept", "accept-encoding", "content-type", "user-agent"),
            max_line_size=_LONGEST_HEADER,
            max_field_size=_LONGEST_HEADER,
        )


class _Answer(aiohttp.ClientResponse):
    """A response that closes its connection after a 500, and raises errors of httpx.

    The service closes it, too, but the next request might be lost on its way by then. After an
    error of its own, aiohttp would send a GET once more.
    """

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        protocol = connection.protocol
        with _httpx_errors:
            await super().start(connection)
        if self.status == HTTPStatus.INTERNAL_SERVER_ERROR and protocol is not None:
            protocol.force_close()
            if self.content.is_eof():  # then it is in the pool already
                protocol.close()
        return self


class _Body(httpx.AsyncByteStream):
    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        content = self._answer.content
        with _httpx_errors:
            if content.is_eof():  # an evaluation is small: nearly all came with their headers
                yield content.read_nowait()
                return
            async for part in content.iter_any():
                yield part

    async def aclose(self) -> None:
        self._answer.close()  # nothing is left to close of one that was read to its end


def _text(header: bytes) -> str:
    try:
        return header.decode()
    except UnicodeDecodeError:
        return header.decode("latin-1")


async def _in_parts(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), PART):
        yield content[start : start + PART]


def _headers_for(proxy: httpx.Proxy) -> dict[str, str]:
    headers = dict(proxy.headers)
    if proxy.raw_auth is not None:
        pair = base64.b64encode(b":".join(proxy.raw_auth)).decode()
        headers["Proxy-Authorization"] = f"Basic {pair}"
    return headers


class _HttpxErrors:
    """Raises the errors of httpx; a class, as it is entered several times a request."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, (aiohttp.ClientError, OSError)):
            raise _httpx_error(error) from error


def _httpx_error(error: Exception) -> httpx.TransportError:
    to, words = next((to, words) for kind, to, words in _HTTPX_ERRORS if isinstance(error, kind))
    # aiohttp draws some of what it could not read, in several lines.
    text = " ".join(words.format(error).split()).rstrip(" ^")
    return to(text or type(error).__name__)


_httpx_errors = _HttpxErrors()
