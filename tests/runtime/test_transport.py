"""What holds of httpx's own transport holds of ours: most tests here are of both."""

from __future__ import annotations

import asyncio
import base64
import gc
import gzip
import resource
import socket
import ssl
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from time import monotonic
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from benchmark_runner.transport import AiohttpClient, AiohttpTransport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path

    Handler = Callable[["Heard", asyncio.StreamWriter], Awaitable[object]]
    Client = Callable[..., httpx.AsyncClient]

pytestmark = pytest.mark.anyio

KIB = 1024
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#: More than what the sockets between two processes hold.
LARGE = 16 * KIB**2


@dataclass
class Heard:
    """A request, as it came."""

    line: str
    headers: list[tuple[str, str]]
    body: bytes
    connection: int
    reader: asyncio.StreamReader

    @property
    def target(self) -> str:
        return self.line.split(" ")[1]

    def all(self, name: str) -> list[str]:
        return [value for given, value in self.headers if given.lower() == name]


@dataclass
class Server:
    """Hears requests, one after the other on each connection, and has each answered."""

    handler: Handler
    port: int = 0
    tls: bool = False
    heard: list[Heard] = field(default_factory=list)
    open: dict[int, asyncio.StreamWriter] = field(default_factory=dict)
    connections: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}"

    @property
    def used(self) -> list[int]:
        """Which connection each request came on, in their order."""
        return [heard.connection for heard in self.heard]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(30), self.changed:
            await self.changed.wait_for(condition)

    async def close(self, connection: int) -> None:
        """Close it, and let the loop show that to the client."""
        writer = self.open[connection]
        writer.close()
        await writer.wait_closed()
        await turn_the_loop()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        self.open[number] = writer
        try:
            await self._note()
            while heard := await hear(reader, number):
                self.heard.append(heard)
                await self._note()
                await self.handler(heard, writer)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client hung up
        finally:
            writer.close()
            del self.open[number]
            await self._note()

    async def _note(self) -> None:
        async with self.changed:
            self.changed.notify_all()


async def turn_the_loop() -> None:
    for _ in range(10):  # what has come is read in one turn, and acted on in the next
        await asyncio.sleep(0)


async def hear(reader: asyncio.StreamReader, connection: int) -> Heard | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    except asyncio.IncompleteReadError:
        return None
    line, *rest = head.removesuffix("\r\n\r\n").split("\r\n")
    headers = [(name, value) for name, _, value in (each.partition(": ") for each in rest)]
    lengths = {name.lower(): value for name, value in headers}
    body = b""
    if lengths.get("transfer-encoding") == "chunked":
        while size := int(await reader.readline(), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readline()
    elif "x-unread" not in lengths:
        body = await reader.readexactly(int(lengths.get("content-length", "0")))
    return Heard(line, headers, body, connection, reader)


@asynccontextmanager
async def serving(
    handler: Handler | bytes = OK, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[Server]:
    server = Server(always(handler) if isinstance(handler, bytes) else handler)
    listener = await asyncio.start_server(server.serve, host, 0, ssl=tls, backlog=1024)
    server.port = listener.sockets[0].getsockname()[1]
    server.tls = tls is not None
    try:
        yield server
    finally:
        listener.close()
        for writer in server.open.values():
            writer.transport.abort()
        await server.until(lambda: not server.open)


def always(answer: bytes) -> Handler:
    async def write(heard: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)

    return write


def in_turn(*answers: bytes) -> Handler:
    left = list(answers)

    async def write(heard: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(left.pop(0) if len(left) > 1 else left[0])

    return write


def then_closes(answer: bytes) -> Handler:
    async def write(heard: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        writer.close()

    return write


def then_resets(answer: bytes) -> Handler:
    async def write(heard: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"  # for no time: a reset
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()

    return write


async def never(heard: Heard, writer: asyncio.StreamWriter) -> None:
    await heard.reader.read()  # returns when the client hangs up


def then_never(answer: bytes) -> Handler:
    async def write(heard: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await never(heard, writer)

    return write


def status(code: int) -> bytes:
    return b"HTTP/1.1 %d Reason\r\nContent-Length: 2\r\n\r\nok" % code


def tunnel_to(server: Server) -> Handler:
    """What a proxy does: carries bytes to and fro once it has been asked for a tunnel."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while part := await reader.read(64 * KIB):
            writer.write(part)
        writer.close()

    async def connect(heard: Heard, writer: asyncio.StreamWriter) -> None:
        near, far = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(carry(heard.reader, far), carry(near, writer))

    return connect


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(params=[AiohttpClient, httpx.AsyncClient], ids=["ours", "httpx's own"])
def client_of(request: pytest.FixtureRequest) -> Client:
    return request.param


@dataclass(frozen=True)
class Certificate:
    path: Path
    server: ssl.SSLContext


def certify(folder: Path, *names: x509.GeneralName) -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a test")])
    now = datetime.now(UTC)
    uses = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.KeyUsage(digital_signature=True, key_cert_sign=True, **uses), critical=True
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    path.write_bytes(certificate.public_bytes(Encoding.PEM))
    private = folder / "key.pem"
    private.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )  # fmt: skip
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path, private)
    return Certificate(path, server)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    loopback = x509.IPAddress(ip_address("127.0.0.1"))
    return certify(tmp_path_factory.mktemp("tls"), loopback)


@pytest.fixture
def trusted(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> Certificate:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.path))
    return certificate


class TestConnections:
    async def test_requests_one_after_the_other_use_one_connection(self, client_of: Client) -> None:
        async with serving() as server, client_of() as client:
            for _ in range(5):
                assert (await client.post(server.url, content=b"it")).text == "ok"
        assert server.used == [1] * 5

    async def test_requests_at_the_same_time_open_as_many_as_there_are_and_keep_them(
        self, client_of: Client
    ) -> None:
        together = asyncio.Barrier(8)

        async def answer(heard: Heard, writer: asyncio.StreamWriter) -> None:
            async with asyncio.timeout(30):
                await together.wait()
            writer.write(OK)

        async with serving(answer) as server, client_of() as client:
            for _ in range(3):
                await asyncio.gather(*(client.get(server.url) for _ in range(8)))
            assert sorted(server.used) == sorted([*range(1, 9)] * 3)

    async def test_one_whose_answer_was_not_read_to_its_end_is_closed(
        self, client_of: Client
    ) -> None:
        async def answer(heard: Heard, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
            if heard.connection == 1:
                await never(heard, writer)
            writer.write(b"-whole")

        async with serving(answer) as server, client_of() as client:
            async with client.stream("GET", server.url) as response:
                assert await anext(response.aiter_raw()) == b"half"
            assert (await client.get(server.url)).text == "half-whole"
            assert server.used == [1, 2]
            await server.until(lambda: 1 not in server.open)

    @pytest.mark.parametrize("code", [200, 404, 429, 503])
    async def test_one_is_kept_whatever_the_answer(self, client_of: Client, code: int) -> None:
        async with serving(status(code)) as server, client_of() as client:
            for _ in range(2):
                assert (await client.post(server.url)).status_code == code
        assert server.used == [1, 1]

    async def test_one_is_not_used_again_after_a_500(self) -> None:
        async with serving(status(500)) as server, AiohttpClient() as client:
            assert (await client.post(server.url)).text == "ok"
            assert (await client.post(server.url)).status_code == 500
            assert server.used == [1, 2]
            await server.until(lambda: not server.open)

    async def test_one_is_not_used_again_after_a_500_whose_body_comes_later(self) -> None:
        read = asyncio.Event()

        async def answer(heard: Heard, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 500 Oh\r\nContent-Length: 4\r\n\r\nno")
            await read.wait()
            writer.write(b"no")

        async with serving(answer) as server, AiohttpClient() as client:
            async with client.stream("POST", server.url) as response:
                parts = response.aiter_raw()
                assert await anext(parts) == b"no"
                read.set()
                assert [part async for part in parts] == [b"no"]
            assert (await client.post(server.url)).text == "nono"
            assert server.used == [1, 2]
            await server.until(lambda: not server.open)

    async def test_one_that_the_server_closed_while_unused_is_replaced(
        self, client_of: Client
    ) -> None:
        async with serving() as server, client_of() as client:
            await client.post(server.url)
            await server.close(1)
            assert (await client.post(server.url)).text == "ok"
        assert server.used == [1, 2]

    @pytest.mark.parametrize(("seconds", "used"), [(3, [1, 1]), (4.5, [1, 2])])
    async def test_one_is_not_used_again_when_a_server_is_about_to_close_it(
        self, monkeypatch: pytest.MonkeyPatch, seconds: float, used: list[int]
    ) -> None:
        async with serving() as server, AiohttpClient() as client:
            await client.post(server.url)
            monkeypatch.setattr("aiohttp.connector.monotonic", lambda: monotonic() + seconds)
            await client.post(server.url)
        assert server.used == used

    @pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
    async def test_a_request_that_is_lost_on_a_kept_one_is_not_sent_again(
        self, client_of: Client, method: str
    ) -> None:
        async def answer(heard: Heard, writer: asyncio.StreamWriter) -> None:
            if heard.target == "/lost":
                writer.close()
            else:
                writer.write(OK)

        async with serving(answer) as server, client_of() as client:
            await client.get(server.url)
            with pytest.raises(httpx.RemoteProtocolError, match="disconnected without"):
                await client.request(method, f"{server.url}/lost")
            assert [heard.target for heard in server.heard] == ["/", "/lost"]
            await client.get(server.url)
        assert server.used == [1, 1, 2]

    async def test_one_is_closed_when_the_answer_came_before_the_request_was_read(self) -> None:
        refused = asyncio.Event()

        async def answer(heard: Heard, writer: asyncio.StreamWriter) -> None:
            writer.write(status(429))
            if heard.all("x-unread"):
                await refused.wait()
                await never(heard, writer)

        async with serving(answer) as server, AiohttpClient() as client:
            response = await client.post(
                server.url, content=b"x" * LARGE, headers={"x-unread": "yes"}
            )
            assert response.status_code == 429
            refused.set()
            assert (await client.get(server.url)).status_code == 429
            assert server.used == [1, 2]
            await server.until(lambda: 1 not in server.open)

    async def test_five_hundred_at_a_time_work_and_all_are_closed_at_the_end(self) -> None:
        count = 500
        together = asyncio.Barrier(count)

        async def answer(heard: Heard, writer: asyncio.StreamWriter) -> None:
            async with asyncio.timeout(30):
                await together.wait()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n%-6s" % heard.body)

        with many_files():
            async with serving(answer) as server:
                async with AiohttpClient(timeout=None) as client:
                    bodies = [f"{number}" for number in range(count)]
                    answers = await asyncio.gather(
                        *(client.post(server.url, content=body) for body in bodies)
                    )
                    assert [response.text.strip() for response in answers] == bodies
                    assert len(server.open) == count
                await server.until(lambda: not server.open)
        del client, answers
        gc.collect()  # what was left open would say so

    async def test_one_in_use_is_closed_with_the_client(self, client_of: Client) -> None:
        async with serving(never) as server:
            async with client_of(timeout=None) as client:
                request = asyncio.create_task(client.get(server.url))
                await server.until(lambda: len(server.heard) == 1)
                request.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await request
            await server.until(lambda: not server.open)


@contextmanager
def many_files() -> Iterator[None]:
    """Both ends of each connection are in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = 2048
    if hard != resource.RLIM_INFINITY and hard < enough:
        pytest.skip(f"no more than {hard} files may be open here")
    if soft < enough:
        resource.setrlimit(resource.RLIMIT_NOFILE, (enough, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class TestProxies:
    async def test_http_goes_to_the_proxy_in_absolute_form(
        self, client_of: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with serving() as proxy:
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            async with client_of() as client:
                assert (await client.get("http://service.test/a%2Fb?c=d+e")).text == "ok"
        assert proxy.heard[0].line == "GET http://service.test/a%2Fb?c=d+e HTTP/1.1"
        assert proxy.heard[0].all("host") == ["service.test"]
        assert proxy.heard[0].all("proxy-authorization") == []

    async def test_connections_to_a_proxy_are_used_again(
        self, client_of: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with serving() as proxy:
            monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("//", "//me:secret@"))
            async with client_of() as client:
                for _ in range(3):
                    await client.get("http://service.test/")
        assert proxy.used == [1, 1, 1]
        assert [len(heard.all("proxy-authorization")) for heard in proxy.heard] == [1, 1, 1]

    async def test_user_info_is_the_proxys_alone(
        self, client_of: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with serving() as proxy, serving() as direct:
            with_user_info = proxy.url.replace("//", "//me:s%20cret@")
            monkeypatch.setenv("HTTP_PROXY", with_user_info)
            monkeypatch.setenv("NO_PROXY", "127.0.0.1")
            async with client_of() as client:
                await client.get("http://service.test/")
                await client.get(direct.url)
        assert proxy.heard[0].all("proxy-authorization") == [basic("me:s cret")]
        assert proxy.heard[0].all("authorization") == []
        assert direct.heard[0].all("proxy-authorization") == []

    async def test_https_goes_through_a_tunnel_that_alone_bears_the_user_info(
        self, client_of: Client, monkeypatch: pytest.MonkeyPatch, trusted: Certificate
    ) -> None:
        async with (
            serving(tls=trusted.server) as server,
            serving(tunnel_to(server)) as proxy,
        ):
            monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("//", "//me:secret@"))
            async with client_of() as client:
                for _ in range(2):
                    assert (await client.get(f"{server.url}/a?b")).text == "ok"
        host = f"127.0.0.1:{server.port}"
        assert [heard.line for heard in proxy.heard] == [f"CONNECT {host} HTTP/1.1"]
        assert proxy.heard[0].all("proxy-authorization") == [basic("me:secret")]
        assert proxy.heard[0].all("host") == [host]
        assert [heard.line for heard in server.heard] == ["GET /a?b HTTP/1.1"] * 2
        assert [heard.all("proxy-authorization") for heard in server.heard] == [[], []]
        assert server.used == [1, 1]

    async def test_a_proxy_may_speak_tls_itself(
        self, client_of: Client, monkeypatch: pytest.MonkeyPatch, trusted: Certificate
    ) -> None:
        async with (
            serving(tls=trusted.server) as server,
            serving(tunnel_to(server), tls=trusted.server) as tunnels,
            serving(tls=trusted.server) as proxy,
        ):
            monkeypatch.setenv("HTTPS_PROXY", tunnels.url)
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            async with client_of() as client:
                assert (await client.get(server.url)).text == "ok"
                assert (await client.get("http://service.test/a")).text == "ok"
        assert tunnels.heard[0].line == f"CONNECT 127.0.0.1:{server.port} HTTP/1.1"
        assert proxy.heard[0].line == "GET http://service.test/a HTTP/1.1"

    async def test_a_certificate_is_verified_through_a_tunnel(
        self, client_of: Client, monkeypatch: pytest.MonkeyPatch, certificate: Certificate
    ) -> None:
        async with (
            serving(tls=certificate.server) as server,
            serving(tunnel_to(server)) as proxy,
        ):
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            async with client_of() as client:
                with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
                    await client.get(server.url)
        assert not server.heard

    async def test_a_host_name_is_verified_through_a_tunnel(
        self, client_of: Client, monkeypatch: pytest.MonkeyPatch, trusted: Certificate
    ) -> None:
        async with (
            serving(tls=trusted.server) as server,
            serving(tunnel_to(server)) as proxy,
        ):
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            async with client_of() as client:
                with pytest.raises(httpx.ConnectError, match="Hostname mismatch"):
                    await client.get(f"https://service.test:{server.port}/")
        assert not server.heard

    async def test_a_proxy_that_refuses_a_tunnel_is_a_proxy_error(
        self, client_of: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        refusal = b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n"
        async with serving(refusal) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            async with client_of() as client:
                with pytest.raises(httpx.ProxyError, match=r"^407 Who are you$"):
                    await client.post("https://service.test/")
        assert len(proxy.heard) == 1

    async def test_a_refusal_of_plain_http_is_the_answer(
        self, client_of: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with serving(status(407)) as proxy:
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            async with client_of() as client:
                assert (await client.post("http://service.test/")).status_code == 407

    @pytest.mark.parametrize("scheme", ["http", "https"])
    async def test_a_proxy_that_is_down_is_a_connect_error(
        self, client_of: Client, monkeypatch: pytest.MonkeyPatch, scheme: str
    ) -> None:
        monkeypatch.setenv("ALL_PROXY", f"http://me:secret@127.0.0.1:{free_port()}")
        async with client_of() as client:
            with pytest.raises(httpx.ConnectError) as caught:
                await client.get(f"{scheme}://service.test/")
        assert "secret" not in str(caught.value)
        if client_of is AiohttpClient:
            assert str(caught.value).startswith("the proxy: ")

    async def test_a_proxy_for_all_is_for_http_too(
        self, client_of: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with serving() as proxy:
            monkeypatch.setenv("ALL_PROXY", proxy.url)
            async with client_of() as client:
                await client.get("http://service.test/")
        assert proxy.heard[0].target == "http://service.test/"

    @pytest.mark.parametrize("exception", ["a.service.test", "service.test", ".service.test", "*"])
    async def test_an_exception_is_asked_directly(
        self, client_of: Client, monkeypatch: pytest.MonkeyPatch, exception: str
    ) -> None:
        resolve_to_loopback(monkeypatch)
        async with serving(b"nothing") as proxy, serving() as server:
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            monkeypatch.setenv("NO_PROXY", exception)
            async with client_of() as client:
                await client.get(f"http://a.service.test:{server.port}/x")
        assert server.heard[0].target == "/x"
        assert not proxy.heard

    async def test_what_is_no_exception_goes_through_the_proxy(
        self, client_of: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with serving() as proxy:
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            monkeypatch.setenv("NO_PROXY", "service.test,10.0.0.1")
            async with client_of() as client:
                await client.get("http://other.test/")
        assert proxy.heard[0].target == "http://other.test/"

    async def test_the_environment_is_not_looked_at_when_it_is_not_trusted(
        self, client_of: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with serving(b"nothing") as proxy, serving() as server:
            for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
                monkeypatch.setenv(name, proxy.url)
            async with client_of(trust_env=False) as client:
                assert (await client.get(server.url)).text == "ok"
        assert not proxy.heard

    async def test_headers_for_the_proxy_are_sent_to_it(self, client_of: Client) -> None:
        async with serving() as server:
            proxy = httpx.Proxy(server.url, headers={"x-proxy": "a"})
            async with client_of(proxy=proxy) as client:
                await client.get("http://service.test/")
        assert server.heard[0].all("x-proxy") == ["a"]

    @pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
    def test_one_that_is_not_http_is_refused(
        self, monkeypatch: pytest.MonkeyPatch, scheme: str
    ) -> None:
        monkeypatch.setenv("ALL_PROXY", f"{scheme}://127.0.0.1:9")
        with pytest.raises(ValueError, match=f"a proxy can't be {scheme}$"):
            AiohttpClient()


def basic(pair: str) -> str:
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def resolve_to_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no name of this machine that each machine knows, but ``localhost``."""
    resolve = socket.getaddrinfo

    def to_loopback(host: Any, *args: Any, **settings: Any) -> Any:
        known = host not in ("a.service.test", b"a.service.test")
        return resolve(host if known else "127.0.0.1", *args, **settings)

    monkeypatch.setattr(socket, "getaddrinfo", to_loopback)


class TestTls:
    async def test_an_untrusted_certificate_is_refused_with_the_reason(
        self, client_of: Client, certificate: Certificate
    ) -> None:
        async with serving(tls=certificate.server) as server, client_of() as client:
            with pytest.raises(httpx.ConnectError, match="certificate verify failed: self-signed"):
                await client.post(server.url, content=b"it")
        assert not server.heard

    async def test_the_environment_says_which_is_trusted(
        self, client_of: Client, trusted: Certificate
    ) -> None:
        async with serving(tls=trusted.server) as server, client_of() as client:
            for _ in range(2):
                assert (await client.post(server.url, content=b"it")).text == "ok"
        assert server.used == [1, 1]

    async def test_the_environment_says_nothing_when_it_is_not_trusted(
        self, client_of: Client, trusted: Certificate
    ) -> None:
        async with (
            serving(tls=trusted.server) as server,
            client_of(trust_env=False) as client,
        ):
            with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
                await client.get(server.url)

    async def test_a_certificate_of_another_host_is_refused(
        self, client_of: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        other = certify(tmp_path, x509.DNSName("other.test"))
        monkeypatch.setenv("SSL_CERT_FILE", str(other.path))
        async with serving(tls=other.server) as server, client_of() as client:
            with pytest.raises(httpx.ConnectError, match="IP address mismatch"):
                await client.get(server.url)
        assert not server.heard

    async def test_a_context_of_ones_own_decides(
        self, client_of: Client, certificate: Certificate
    ) -> None:
        context = ssl.create_default_context(cafile=certificate.path)
        async with (
            serving(tls=certificate.server) as server,
            client_of(verify=context) as client,
        ):
            assert (await client.get(server.url)).text == "ok"

    async def test_a_server_without_tls_is_a_connect_error(self, client_of: Client) -> None:
        async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"220 at your service\r\n")
            writer.close()

        async with (
            await asyncio.start_server(greet, "127.0.0.1", 0) as server,
            client_of() as client,
        ):
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(httpx.ConnectError):
                await client.get(f"https://127.0.0.1:{port}/")


class TestTimeouts:
    async def test_no_connection_in_time(self, client_of: Client) -> None:
        with full_backlog() as port:
            async with client_of(timeout=httpx.Timeout(None, connect=0.05)) as client:
                with pytest.raises(httpx.ConnectTimeout):
                    async with asyncio.timeout(30):
                        await client.get(f"http://127.0.0.1:{port}/")

    @pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"])
    async def test_no_answer_in_time(self, client_of: Client, said: bytes) -> None:
        timeout = httpx.Timeout(None, read=0.05)
        async with serving(then_never(said)) as server, client_of(timeout=timeout) as client:
            with pytest.raises(httpx.ReadTimeout):
                async with asyncio.timeout(30):
                    await client.post(server.url)
            await server.until(lambda: not server.open)
        assert len(server.heard) == 1

    @pytest.mark.parametrize(
        ("limits", "ends"),
        [
            (httpx.Timeout(None), False),
            (httpx.Timeout(None, connect=10), False),
            (httpx.Timeout(None, read=1800), True),
        ],
    )
    async def test_without_one_an_answer_may_take_hours(
        self, client_of: Client, limits: httpx.Timeout, ends: bool
    ) -> None:
        answered = asyncio.Event()

        async def answer(heard: Heard, writer: asyncio.StreamWriter) -> None:
            await answered.wait()
            writer.write(OK)

        async with serving(answer) as server, client_of(timeout=limits) as client:
            request = asyncio.create_task(client.post(server.url))
            await server.until(lambda: len(server.heard) == 1)
            with pytest.MonkeyPatch.context() as patch:
                loop = asyncio.get_running_loop()
                now = loop.time
                patch.setattr(loop, "time", lambda: now() + 7200)
                await turn_the_loop()
            answered.set()
            if ends:
                with pytest.raises(httpx.ReadTimeout):
                    await request
            else:
                assert (await request).text == "ok"

    @pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"])
    async def test_a_deadline_around_a_request_closes_its_connection(
        self, client_of: Client, said: bytes
    ) -> None:
        async def answer(heard: Heard, writer: asyncio.StreamWriter) -> None:
            writer.write(OK if heard.target == "/next" else said)
            if heard.target != "/next":
                await never(heard, writer)

        async with serving(answer) as server, client_of(timeout=None) as client:
            deadline = asyncio.timeout(None)

            async def post() -> None:
                async with deadline:
                    await client.post(server.url)

            request = asyncio.create_task(post())
            await server.until(lambda: len(server.heard) == 1)
            await turn_the_loop()
            deadline.reschedule(asyncio.get_running_loop().time())
            with pytest.raises(TimeoutError):
                await request
            assert (await client.get(f"{server.url}/next")).text == "ok"
            assert server.used == [1, 2]
            await server.until(lambda: 1 not in server.open)

    async def test_a_deadline_ends_a_connection_that_does_not_come_about(
        self, client_of: Client
    ) -> None:
        with full_backlog() as port:
            async with client_of(timeout=None) as client:
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await client.get(f"http://127.0.0.1:{port}/")


@contextmanager
def full_backlog() -> Iterator[int]:
    """Yield a port that answers no further attempt to connect."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting: list[socket.socket] = []
        try:
            while True:
                another = socket.socket()
                waiting.append(another)
                another.settimeout(0.2)
                another.connect(listener.getsockname())
        except TimeoutError:
            yield listener.getsockname()[1]
        finally:
            for each in waiting:
                each.close()


class TestRedirectsAndCookies:
    async def test_a_redirect_is_an_answer(self, client_of: Client) -> None:
        async with serving(redirect("/there")) as server, client_of() as client:
            response = await client.post(server.url)
        assert response.status_code == 307
        assert response.headers["location"] == "/there"
        assert len(server.heard) == 1

    async def test_a_307_that_is_followed_keeps_method_and_body(self, client_of: Client) -> None:
        async with (
            serving(in_turn(redirect("/there"), OK)) as server,
            client_of(follow_redirects=True) as client,
        ):
            assert (await client.post(server.url, content=b"it")).text == "ok"
        assert [heard.line for heard in server.heard] == [
            "POST / HTTP/1.1",
            "POST /there HTTP/1.1",
        ]
        assert [heard.body for heard in server.heard] == [b"it", b"it"]

    async def test_a_cookie_is_sent_once(self, client_of: Client) -> None:
        setting = OK.replace(b"\r\n", b"\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2; Path=/\r\n", 1)
        async with serving(in_turn(setting, OK)) as server, client_of() as client:
            await client.get(server.url)
            await client.get(server.url)
            client.cookies.clear()
            await client.get(server.url)
        assert [heard.all("cookie") for heard in server.heard] == [[], ["a=1; b=2"], []]


def redirect(to: str) -> bytes:
    return f"HTTP/1.1 307 There\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode()


class TestRequests:
    @pytest.mark.parametrize(
        ("given", "sent"),
        [
            ("", "/"),
            ("/a%2Fb", "/a%2Fb"),
            ("/a%2fb", "/a%2fb"),
            ("/a%20b%25", "/a%20b%25"),
            ("/a b", "/a%20b"),
            ("/a+b;c=d,e@f:g", "/a+b;c=d,e@f:g"),
            ("/%7Ea", "/%7Ea"),
            ("/ä", "/%C3%A4"),
            ("/a//b/", "/a//b/"),
            ("/?a=b+c&d=%2B&e=;f", "/?a=b+c&d=%2B&e=;f"),
            ("/?ü=%20&&=", "/?%C3%BC=%20&&="),
            ("/a?b=[c]", "/a?b=[c]"),
            ("/a?b#c", "/a?b"),
        ],
    )
    async def test_a_target_is_sent_as_it_is(
        self, client_of: Client, given: str, sent: str
    ) -> None:
        async with serving() as server, client_of() as client:
            await client.get(server.url + given)
        assert server.heard[0].line == f"GET {sent} HTTP/1.1"
        assert server.heard[0].all("host") == [f"127.0.0.1:{server.port}"]

    async def test_a_host_may_be_an_ipv6_address(self, client_of: Client) -> None:
        if not has_ipv6():
            pytest.skip("there is no IPv6 on this machine")
        async with serving(host="::1") as server, client_of() as client:
            assert (await client.get(f"http://[::1]:{server.port}/")).text == "ok"
        assert server.heard[0].all("host") == [f"[::1]:{server.port}"]

    async def test_user_info_is_sent_as_basic_authentication(self, client_of: Client) -> None:
        async with serving() as server, client_of() as client:
            await client.get(server.url.replace("//", "//me:s%20cret@"))
        assert server.heard[0].target == "/"
        assert server.heard[0].all("authorization") == [basic("me:s cret")]
        assert server.heard[0].all("host") == [f"127.0.0.1:{server.port}"]

    @pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH"])
    @pytest.mark.parametrize("content", [None, b"", b"it"])
    async def test_headers_are_exactly_those_of_httpx(
        self, client_of: Client, method: str, content: bytes | None
    ) -> None:
        async with serving(b"HTTP/1.1 204 No\r\n\r\n") as server, client_of() as client:
            request = client.build_request(
                method, server.url, content=content, headers=[("X-A", "1"), ("x-a", "2")]
            )
            await client.send(request)
        expected = [(name.lower(), value) for name, value in request.headers.multi_items()]
        heard = [(name.lower(), value) for name, value in server.heard[0].headers]
        assert sorted(heard) == sorted(expected)
        assert server.heard[0].all("x-a") == ["1", "2"]

    async def test_no_header_is_added_for_one_that_was_taken_away(self, client_of: Client) -> None:
        async with serving() as server, client_of() as client:
            client.headers.clear()
            await client.post(server.url, content=b"it")
        names = sorted(name.lower() for name, _ in server.heard[0].headers)
        assert names == ["content-length", "host"]

    async def test_a_host_of_ones_own_is_sent(self, client_of: Client) -> None:
        async with serving() as server, client_of() as client:
            await client.get(server.url, headers={"host": "other.test"})
        assert server.heard[0].all("host") == ["other.test"]

    @pytest.mark.parametrize("size", [0, 1, 256 * KIB, 256 * KIB + 1, 3 * KIB**2])
    async def test_a_body_comes_whole_and_once_with_its_length(
        self, client_of: Client, size: int
    ) -> None:
        body = bytes(number % 251 for number in range(size))
        async with serving() as server, client_of() as client:
            for _ in range(2):
                await client.post(server.url, content=body)
        assert [heard.body == body for heard in server.heard] == [True, True]
        assert server.heard[0].all("content-length") == [f"{size}"]
        assert server.heard[0].all("transfer-encoding") == []

    @pytest.mark.parametrize("size", [1, 200 * KIB])
    async def test_a_body_may_be_made_on_the_way(self, client_of: Client, size: int) -> None:
        async def parts() -> AsyncIterator[bytes]:
            for number in range(3):
                await asyncio.sleep(0)
                yield b"%d" % number * size

        async with serving() as server, client_of() as client:
            assert (await client.post(server.url, content=parts())).text == "ok"
            assert (await client.get(server.url)).text == "ok"
        assert server.heard[0].body == b"0" * size + b"1" * size + b"2" * size
        lengths = ("content-length", "transfer-encoding")
        assert sum(len(server.heard[0].all(name)) for name in lengths) == 1

    async def test_a_body_that_can_not_be_made_fails_with_its_own_error(self) -> None:
        async def parts() -> AsyncIterator[bytes]:
            yield b"it"
            raise LookupError("lost")

        async with serving() as server, AiohttpClient() as client:
            with pytest.raises(LookupError, match="lost"):
                await client.post(server.url, content=parts())
        assert not server.connections

    async def test_a_scheme_that_is_not_http_is_refused(self, client_of: Client) -> None:
        async with client_of() as client:
            with pytest.raises(httpx.UnsupportedProtocol):
                await client.get("ftp://127.0.0.1/")


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


class TestAnswers:
    async def test_headers_are_as_they_came(self, client_of: Client) -> None:
        answer = b"HTTP/1.1 200 OK\r\nX-A: 1\r\nX-B: \xe4\r\nx-a: 2\r\nContent-Length: 0\r\n\r\n"
        async with serving(answer) as server, client_of() as client:
            response = await client.get(server.url)
        assert response.headers.raw == [
            (b"X-A", b"1"),
            (b"X-B", b"\xe4"),
            (b"x-a", b"2"),
            (b"Content-Length", b"0"),
        ]

    async def test_a_header_may_be_long(self, client_of: Client) -> None:
        answer = b"HTTP/1.1 204 OK\r\nX-A: %s\r\n\r\n" % (b"a" * 60 * KIB)
        async with serving(answer) as server, client_of() as client:
            response = await client.get(server.url)
        assert len(response.headers["x-a"]) == 60 * KIB

    @pytest.mark.parametrize("version", [b"1.0", b"1.1"])
    async def test_version_and_reason_are_as_they_came(
        self, client_of: Client, version: bytes
    ) -> None:
        answer = b"HTTP/%s 299 Quite good\r\nContent-Length: 0\r\n\r\n" % version
        async with serving(answer) as server, client_of() as client:
            response = await client.get(server.url)
        assert response.http_version == f"HTTP/{version.decode()}"
        assert (response.status_code, response.reason_phrase) == (299, "Quite good")

    async def test_a_reason_may_be_missing(self, client_of: Client) -> None:
        answer = b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n"
        async with serving(answer) as server, client_of() as client:
            assert (await client.get(server.url)).reason_phrase == ""

    async def test_what_comes_before_the_answer_is_passed_over(self, client_of: Client) -> None:
        hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        async with serving(hints + OK) as server, client_of() as client:
            assert (await client.get(server.url)).text == "ok"

    async def test_a_body_may_come_in_chunks(self, client_of: Client) -> None:
        answer = (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
        )
        async with serving(answer) as server, client_of() as client:
            for _ in range(2):
                assert (await client.get(server.url)).text == "abcde"
        assert server.used == [1, 1]

    async def test_a_body_may_end_with_the_connection(self, client_of: Client) -> None:
        async with (
            serving(then_closes(b"HTTP/1.1 200 OK\r\n\r\nall")) as server,
            client_of() as client,
        ):
            assert (await client.get(server.url)).text == "all"
            assert (await client.get(server.url)).text == "all"
        assert server.used == [1, 2]

    async def test_to_a_head_there_is_no_body(self, client_of: Client) -> None:
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
        async with serving(answer) as server, client_of() as client:
            for _ in range(2):
                response = await client.head(server.url)
                assert (response.headers["content-length"], response.content) == ("5", b"")
        assert server.used == [1, 1]

    async def test_a_part_can_be_read_before_the_next_has_come(self, client_of: Client) -> None:
        read = asyncio.Event()

        async def answer(heard: Heard, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\none")
            await read.wait()
            writer.write(b"two")

        async with (
            serving(answer) as server,
            client_of() as client,
            client.stream("GET", server.url) as response,
        ):
            parts = response.aiter_raw()
            assert await anext(parts) == b"one"
            read.set()
            assert await anext(parts) == b"two"

    async def test_a_compressed_body_is_httpxs_to_undo(self, client_of: Client) -> None:
        body = gzip.compress(b"plain")
        head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
        async with serving(head % len(body) + body) as server, client_of() as client:
            assert (await client.get(server.url)).text == "plain"
            async with client.stream("GET", server.url) as response:
                assert b"".join([part async for part in response.aiter_raw()]) == body

    async def test_a_large_body_that_is_read_slowly_comes_whole(self, client_of: Client) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LARGE
        size = 0
        async with (
            serving(head + b"x" * LARGE) as server,
            client_of(timeout=None) as client,
            client.stream("GET", server.url) as response,
        ):
            async for part in response.aiter_raw():
                size += len(part)
                await asyncio.sleep(0)
        assert size == LARGE


class TestFailures:
    async def test_nobody_listens(self, client_of: Client) -> None:
        async with client_of() as client:
            with pytest.raises(httpx.ConnectError):
                await client.get(f"http://127.0.0.1:{free_port()}/")

    async def test_a_host_that_nobody_knows(
        self, client_of: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def unknown(*_: object, **__: object) -> None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", unknown)
        async with client_of() as client:
            with pytest.raises(httpx.ConnectError, match="Name or service not known"):
                await client.get("http://service.test/")

    @pytest.mark.parametrize(
        ("handler", "error"),
        [
            pytest.param(then_closes(b""), httpx.RemoteProtocolError, id="no answer"),
            pytest.param(
                then_closes(b"HTTP/1.1 200 OK\r\nX-A"), httpx.RemoteProtocolError, id="half a head"
            ),
            pytest.param(then_resets(b""), httpx.ReadError, id="a reset"),
            pytest.param(
                always(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), httpx.RemoteProtocolError, id="not http"
            ),
            pytest.param(
                always(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"),
                httpx.RemoteProtocolError,
                id="a length that is none",
            ),
        ],
    )
    @pytest.mark.parametrize("method", ["GET", "POST"])
    async def test_instead_of_an_answer(
        self, client_of: Client, handler: Handler, error: type[Exception], method: str
    ) -> None:
        async with serving(handler) as server, client_of() as client:
            with pytest.raises(error) as caught:
                await client.request(method, server.url, content=b"it")
            await server.until(lambda: not server.open)
        assert type(caught.value) is error
        assert len(server.heard) == 1
        if client_of is AiohttpClient:  # some errors of httpx's own have no words
            assert str(caught.value).splitlines() == [str(caught.value)]

    @pytest.mark.parametrize(
        "handler",
        [
            pytest.param(
                then_closes(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), id="too short"
            ),
            pytest.param(
                then_closes(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"),
                id="half a chunk",
            ),
            pytest.param(
                always(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n"),
                id="a chunk that is none",
            ),
        ],
    )
    async def test_within_a_body(self, client_of: Client, handler: Handler) -> None:
        async with serving(handler) as server, client_of() as client:
            with pytest.raises(httpx.RemoteProtocolError) as caught:
                await client.post(server.url)
            await server.until(lambda: not server.open)
        assert str(caught.value)
        assert len(server.heard) == 1

    async def test_a_reset_within_a_body(self, client_of: Client) -> None:
        half = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"
        async with serving(then_resets(half)) as server, client_of() as client:
            # Which of them depends on whether what came before the reset had been read.
            with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
                await client.post(server.url)
        assert len(server.heard) == 1

    async def test_an_error_names_the_request(self, client_of: Client) -> None:
        async with serving(then_closes(b"")) as server, client_of() as client:
            with pytest.raises(httpx.RemoteProtocolError) as caught:
                await client.post(server.url)
        assert caught.value.request.method == "POST"


class TestClient:
    def test_it_carries_everything_over_our_transport(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("NO_PROXY", "direct.test")
        client = AiohttpClient()
        for url in ("http://a.test", "https://a.test", "http://direct.test"):
            transport = client._transport_for_url(httpx.URL(url))
            assert type(transport) is AiohttpTransport, url

    async def test_a_transport_of_ones_own_takes_its_place(self) -> None:
        ready = httpx.MockTransport(lambda _: httpx.Response(200, text="ready"))
        async with AiohttpClient(transport=ready) as client:
            assert (await client.get("http://service.test/")).text == "ready"

    async def test_nothing_is_opened_before_the_first_request(self) -> None:
        async with AiohttpClient():
            pass
        gc.collect()  # a session that was left open would say so

    def test_it_can_be_made_without_a_loop(self) -> None:
        client = AiohttpClient()

        async def ask() -> str:
            async with serving() as server, client:
                return (await client.get(server.url)).text

        assert asyncio.run(ask()) == "ok"
