"""The headers of a deployment's own, in ``--header`` and ``SERVICE_HEADERS``."""

from __future__ import annotations

import pytest
from starlette.responses import JSONResponse, Response

from benchmark_runner.client.own_headers import own_headers, read_headers
from benchmark_runner.client.service_client import BenchmarkServiceClient, build_client
from benchmark_runner.errors import AuthenticationError, UsageError
from tests.unit.client.scripted_server import GRADE, KEY, QUICK, Script, failure, grade

pytestmark = pytest.mark.anyio

SECRET = "s3cret-0f-the-gateway"


@pytest.mark.parametrize(
    ("given", "name", "value"),
    [
        ("x-tenant=acme", "x-tenant", "acme"),
        (" X-Tenant = two words ", "x-tenant", "two words"),
        ("x-sum=a=b==", "x-sum", "a=b=="),
        ("authorization=Basic abc", "authorization", "Basic abc"),
    ],
)
def test_header_is_read(given: str, name: str, value: str) -> None:
    """The name ends at the first equals sign, and white space around both is dropped."""
    assert read_headers([given], "--header") == {name: value}


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ((SECRET,), "the --header number 1 is not NAME=VALUE"),
        (("a=b", f"x-a: {SECRET}"), "the --header number 2 is not NAME=VALUE"),
        ((f"={SECRET}",), "is not NAME=VALUE"),
        (("x-a=",), "is not NAME=VALUE"),
        (("x-a= ",), "is not NAME=VALUE"),
        ((f"two words={SECRET}",), "is not NAME=VALUE"),
        ((f"n\u00e4me={SECRET}",), "is not NAME=VALUE"),
        ((f"x-a={SECRET}\r\nx-b: c",), "no header can carry"),
        ((f"x-a={SECRET}\0",), "no header can carry"),
        ((f"x-a={SECRET}\u00e4",), "no header can carry"),
        ((f"x-a={SECRET}", "X-A=other"), "--header has x-a twice"),
        *(
            ((f"{name}={SECRET}",), f"sets {name.lower()}")
            for name in (
                *("Host", "content-length", "Content-Type", "transfer-encoding", "connection"),
                *("X-Benchmark-Dataset-Version", "x-descope-api-key", "accept-encoding"),
                *("sec-websocket-key", "upgrade", "te", "expect"),
            )
        ),
    ],
)
def test_unusable_header_is_refused(given: tuple[str, ...], problem: str) -> None:
    """A header that can't be sent, or that the client sets, is refused and not quoted."""
    with pytest.raises(UsageError) as caught:
        read_headers(given, "--header")
    assert problem in caught.value.message
    assert SECRET not in f"{caught.value.message} {caught.value.hint}"


def test_flag_goes_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment holds one a line; a flag of the same name goes over it."""
    monkeypatch.setenv("SERVICE_HEADERS", "\n x-a=1 \r\nx-b=2\n\n")
    assert own_headers(["X-B=3"]) == {"x-a": "1", "x-b": "3"}
    monkeypatch.setenv("SERVICE_HEADERS", "x-a=1\nx-a=2")
    with pytest.raises(UsageError, match="SERVICE_HEADERS has x-a twice"):
        own_headers()


async def test_headers_are_sent_with_the_key(
    script: Script, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each request carries the headers, beside the key."""
    monkeypatch.setenv("VALS_AUTH_KEY", KEY)
    monkeypatch.setenv("SERVICE_HEADERS", f"x-gateway={SECRET}")
    script.answer(GRADE)
    async with build_client(url, header_flags=["authorization=Basic abc"]) as client:
        await grade(client)
        assert client.auth_name == "VALS_AUTH_KEY"
    sent = script.seen[0].headers
    assert (sent["x-gateway"], sent["authorization"]) == (SECRET, "Basic abc")
    assert sent["x-descope-api-key"] == KEY


async def test_headers_are_no_key(script: Script, url: str) -> None:
    """A service that asks for a key is told from one that rejects it, whatever else is sent."""
    script.answer(failure(401, f"Unauthorized: {SECRET}"))
    async with BenchmarkServiceClient(url, own_headers={"x-a": SECRET}, retry=QUICK) as client:
        with pytest.raises(AuthenticationError, match="requires a key, but none is set") as caught:
            await grade(client)
    assert SECRET not in caught.value.message


async def test_redirects_get_no_header(script: Script, url: str) -> None:
    """A header goes to the service only, not where it redirects to."""
    script.answer(Response(status_code=307, headers={"location": f"{url}/elsewhere"}))
    async with BenchmarkServiceClient(url, own_headers={"x-a": SECRET}) as client:
        with pytest.raises(Exception, match="redirects"):
            await grade(client)
    assert len(script.seen) == 1


def test_second_authorization_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """An authorization beside that of a bearer key is refused."""
    monkeypatch.setenv("BENCHMARK_API_KEY", KEY)
    with pytest.raises(UsageError) as caught:
        build_client("https://bench.example.com", header_flags=[f"authorization={SECRET}"])
    assert "which is sent for the key in BENCHMARK_API_KEY" in caught.value.message
    assert SECRET not in caught.value.message


@pytest.mark.parametrize("header", ["x-a", "authorization"])
def test_plain_http_is_refused(header: str) -> None:
    """A header goes over plain http to another machine only if that is allowed."""
    with pytest.raises(UsageError, match="unencrypted") as caught:
        build_client("http://bench.example.com", header_flags=[f"{header}={SECRET}"])
    assert SECRET not in caught.value.message
    assert "--header or SERVICE_HEADERS" in caught.value.message
    build_client(
        "http://bench.example.com", header_flags=[f"{header}={SECRET}"], allow_insecure_http=True
    )


async def test_value_in_an_answer_is_masked(script: Script, url: str) -> None:
    """A refusal that quotes the value is shown without it."""
    script.answer(JSONResponse({"detail": f"bad {SECRET}"}, 400))
    async with BenchmarkServiceClient(url, own_headers={"x-a": f"Bearer {SECRET}"}) as client:
        with pytest.raises(Exception, match=r"bad \*\*\*"):
            await grade(client)
