from __future__ import annotations

import pytest
from starlette.responses import Response

from benchmark_runner.client.endpoint import headers_from_environment
from benchmark_runner.client.service_client import BenchmarkServiceClient, build_client
from benchmark_runner.errors import (
    AuthenticationError,
    PermissionDeniedError,
    RejectedRequestError,
    UsageError,
)
from tests.unit.client.scripted_server import GRADE, KEY, Script, fails, failure, grade, v1_request

pytestmark = pytest.mark.anyio


class TestAuthentication:
    @pytest.mark.parametrize(
        ("environment", "name", "header"),
        [
            ({"VALS_AUTH_KEY": KEY}, "VALS_AUTH_KEY", ("x-descope-api-key", KEY)),
            ({"VALS_API_KEY": f" {KEY}\n"}, "VALS_API_KEY", ("x-descope-api-key", KEY)),
            (
                {"VALS_AUTH_KEY": KEY, "VALS_API_KEY": "b", "BENCHMARK_API_KEY": "c"},
                "VALS_AUTH_KEY",
                ("x-descope-api-key", KEY),
            ),
            (
                {"VALS_AUTH_KEY": "", "BENCHMARK_API_KEY": KEY},
                "BENCHMARK_API_KEY",
                ("authorization", f"Bearer {KEY}"),
            ),
            ({}, None, None),
        ],
    )
    async def test_environment_decides_which_key_is_sent(
        self,
        script: Script,
        url: str,
        monkeypatch: pytest.MonkeyPatch,
        environment: dict[str, str],
        name: str | None,
        header: tuple[str, str] | None,
    ) -> None:
        """One key is sent, from the first of the variables that is set."""
        for variable, value in environment.items():
            monkeypatch.setenv(variable, value)
        script.answer(GRADE)
        async with build_client(url) as client:
            await grade(client)
            assert client.auth_name == headers_from_environment()[1] == name
        sent = script.seen[0].headers
        keys = [(key, sent[key]) for key in ("x-descope-api-key", "authorization") if key in sent]
        assert keys == ([header] if header else [])

    async def test_401_names_the_variable_not_the_key(
        self, script: Script, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The error of a 401 names the variable and never the key."""
        monkeypatch.setenv("VALS_AUTH_KEY", KEY)
        script.answer(failure(401, f"bad key {KEY} seen"))
        async with build_client(url) as client:
            with pytest.raises(AuthenticationError) as caught:
                await grade(client)
        error = caught.value
        assert "VALS_AUTH_KEY" in error.message
        assert "VALS_AUTH_KEY" in (error.hint or "")
        assert "'d'" in error.message
        assert url in error.message
        assert error.detail == "bad key *** seen"
        assert KEY not in f"{error!r}{error.message}{error.hint}"
        assert len(script.seen) == 1

    async def test_401_without_a_key_names_the_variable(self, script: Script, url: str) -> None:
        """Without a key, the error of a 401 says which variable to set."""
        script.answer(failure(401, "Unauthorized"))
        error = await fails(url, AuthenticationError)
        assert "none is set" in error.message
        assert "VALS_AUTH_KEY" in (error.hint or "")

    async def test_bearer_403_on_v1_names_the_right_key(self, script: Script, url: str) -> None:
        """The error of a bearer key on v1 says which key it needs."""
        script.answer(failure(403, "The /v1/ surface requires Descope authentication."))
        bearer = {"Authorization": f"Bearer {KEY}"}
        for ask in (
            lambda client: client.evaluate(v1_request()),
            lambda client: client.list_tasks("d"),
        ):
            error = await fails(url, PermissionDeniedError, ask, headers=bearer)
            assert "/v1" in error.message
            assert "VALS_AUTH_KEY" in (error.hint or "")

    async def test_dataset_file_hint_is_for_listing_only(self, script: Script, url: str) -> None:
        """The hint to a dataset file is given only where tasks are listed."""
        script.answer(failure(403, "no"))
        bearer = {"Authorization": f"Bearer {KEY}"}
        listing = await fails(
            url, PermissionDeniedError, lambda client: client.list_tasks("d"), headers=bearer
        )
        grading = await fails(
            url, PermissionDeniedError, lambda client: client.evaluate(v1_request()), headers=bearer
        )
        assert "--dataset-file" in (listing.hint or "")
        assert '"legacy"' in (listing.hint or "")
        assert "--dataset-file" not in (grading.hint or "")

    async def test_403_for_a_dataset_names_it(self, script: Script, url: str) -> None:
        """The error of a 403 for a dataset names the dataset."""
        script.answer(failure(403, "Dataset not allowed"))
        error = await fails(url, PermissionDeniedError, headers={"x-descope-api-key": KEY})
        assert "'d'" in error.message
        assert "Dataset not allowed" in error.message
        assert "--dataset-name" in (error.hint or "")

    def test_key_needs_https_to_another_machine(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A key is not sent over plain HTTP to another machine unless allowed."""
        monkeypatch.setenv("VALS_AUTH_KEY", KEY)
        for host in ("example.com", "10.0.0.1", "[2001:db8::1]"):
            with pytest.raises(UsageError) as caught:
                build_client(f"http://{host}")
            assert "--allow-insecure-http" in (caught.value.hint or "")
            assert KEY not in caught.value.message
            build_client(f"http://{host}", allow_insecure_http=True)
        for url in (
            "https://example.com",
            "http://localhost:1",
            "http://[::1]",
            "http://127.9.9.9",
        ):
            build_client(url)

    @pytest.mark.parametrize("key", ["two\nlines", "schlüssel", "a\x7fb"])
    def test_unsendable_key_is_refused_unseen(
        self, monkeypatch: pytest.MonkeyPatch, key: str
    ) -> None:
        """A key that no header can hold is refused without showing it."""
        monkeypatch.setenv("BENCHMARK_API_KEY", key)
        with pytest.raises(UsageError) as caught:
            build_client("https://example.com")
        assert "BENCHMARK_API_KEY" in caught.value.message
        assert key not in caught.value.message

    async def test_user_info_is_sent_and_hidden(self, script: Script, url: str) -> None:
        """User info in the URL is sent as basic authentication and shown nowhere."""
        script.answer(failure(401, "user:pass-word, dXNlcjpwYXNzLXdvcmQ="))
        with_user = url.replace("http://", "http://user:pass-word@")
        error = await fails(with_user, AuthenticationError)
        assert script.seen[0].headers["authorization"] == "Basic dXNlcjpwYXNzLXdvcmQ="
        assert url in error.message
        for secret in ("user", "pass-word", "dXNlcj"):
            assert secret not in f"{error.message} {error.detail}"
        with pytest.raises(UsageError) as caught:
            BenchmarkServiceClient("http://user:pass-word@example.com")
        assert "pass-word" not in caught.value.message

    async def test_redirect_is_refused(self, script: Script, url: str) -> None:
        """A redirect is refused, names the other server and does not get the key."""
        script.answer(
            Response(status_code=307, headers={"location": "https://other.example:8443/p?token=t"})
        )
        error = await fails(url, RejectedRequestError, headers={"x-descope-api-key": KEY})
        assert "https://other.example:8443" in error.message
        assert "token" not in f"{error.message}{error.hint}"
        assert "--service-url" in (error.hint or "")
        assert len(script.seen) == 1

    @pytest.mark.parametrize("location", ["/elsewhere", "http://[no-address"])
    async def test_a_redirect_within_the_service_says_so(
        self, script: Script, url: str, location: str
    ) -> None:
        """A redirect to another path of the same service, or to nowhere, says so."""
        script.answer(Response(status_code=308, headers={"location": location}))
        error = await fails(url, RejectedRequestError)
        assert "another path of its own" in error.message


class TestServiceUrl:
    @pytest.mark.parametrize(
        "given",
        ["", "  ", "local", "localhost:8000", "ftp://host", "http://", "http://h:port", "/path"],
    )
    def test_invalid_service_url_names_the_setting(self, given: str) -> None:
        """An invalid service URL is a usage error that names the settings."""
        with pytest.raises(UsageError) as caught:
            build_client(given)
        assert "SERVICE_URL" in (caught.value.hint or "")
        assert "--service-url" in (caught.value.hint or "")

    @pytest.mark.parametrize(
        "given", ["ftp://u:pass@h", "u:pass@h", "http://u:pass@h:x", "https://h/?t=pass"]
    )
    def test_a_refused_url_shows_no_secret(self, given: str) -> None:
        """The error about a refused URL shows no secret."""
        with pytest.raises(UsageError) as caught:
            build_client(given)
        assert "pass" not in f"{caught.value.message}{caught.value.hint}"

    @pytest.mark.parametrize("port", [0, 65536, 99999])
    def test_impossible_port_is_refused(self, port: int) -> None:
        """A port that can't exist is refused."""
        with pytest.raises(UsageError) as caught:
            build_client(f"http://u:pass@127.0.0.1:{port}")
        assert str(port) in caught.value.message
        assert "pass" not in caught.value.message
        assert "65535" in (caught.value.hint or "")

    @pytest.mark.parametrize("host", ["xn--a", "\u2028x", "999.1.1.1"])
    def test_impossible_host_is_refused(self, host: str) -> None:
        """A host that can't exist is refused."""
        with pytest.raises(UsageError):
            build_client(f"http://{host}")

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("HTTPS_PROXY", "socks9://u:pass@proxy"),
            ("ALL_PROXY", "http://proxy:pass"),
            ("SSL_CERT_FILE", "/no/such/pass"),
        ],
    )
    def test_unusable_proxy_is_named_without_secret(
        self, monkeypatch: pytest.MonkeyPatch, name: str, value: str
    ) -> None:
        """An unusable proxy or certificate is named without its secret."""
        monkeypatch.setenv(name, value)
        with pytest.raises(UsageError) as caught:
            build_client("https://host")
        assert "pass" not in caught.value.message
        assert name in (caught.value.hint or "")

    def test_base_url_has_no_user_info(self) -> None:
        """The attribute base_url has no user info."""
        client = BenchmarkServiceClient("https://u:p@host:8443/base/")
        assert client.base_url == "https://host:8443/base"
        assert client.local is False

    @pytest.mark.parametrize("settings", [{"timeout": 0}, {"max_connections": 0}])
    def test_impossible_limits_are_refused(self, settings: dict[str, int]) -> None:
        """A timeout or a number of connections of 0 is refused."""
        with pytest.raises(UsageError):
            BenchmarkServiceClient("https://host", **settings)
