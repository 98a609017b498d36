from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import math
import socket
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import httpx
import pytest
from starlette.responses import JSONResponse, Response

from benchmark_runner.client import http_call
from benchmark_runner.client import service_client as client_module
from benchmark_runner.client.endpoint import describe_auth
from benchmark_runner.client.retry import RetryNotice, RetryPolicy
from benchmark_runner.client.service_client import BenchmarkServiceClient, build_client
from benchmark_runner.errors import (
    AuthenticationError,
    BadResponseError,
    NotFoundError,
    PermissionDeniedError,
    QuotaExceededError,
    RejectedRequestError,
    ServiceError,
    ServiceUnavailableError,
    UnsupportedError,
    UsageError,
)
from benchmark_runner.schemas import (
    EvalStatus,
    FinalScoreRequest,
    Payload,
    V1EvaluateRequest,
    V1ScoreRequest,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from pydantic import JsonValue
    from starlette.types import ASGIApp, Receive, Scope, Send

    Answer = Callable[[Receive, Send], Awaitable[None]]
    ServeApp = Callable[[ASGIApp], str]

pytestmark = pytest.mark.anyio

QUICK = RetryPolicy(first_wait=0.001, max_wait=0.001)
KEY = "s3cret-key"
GRADE = {"pass_percentage": 1.0}


@dataclass
class Seen:
    method: str
    path: str
    raw_path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]
    body: bytes

    def json(self) -> object:
        return json.loads(self.body)


@dataclass
class Script:
    """A server that gives the scripted answers in turn, the last one for ever."""

    answers: list[object] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        self.seen.append(
            Seen(
                scope["method"],
                scope["path"],
                scope["raw_path"].decode(),
                parse_qsl(scope["query_string"].decode(), keep_blank_values=True),
                {name.decode(): value.decode() for name, value in scope["headers"]},
                body,
            )
        )
        answer = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if callable(answer) and not isinstance(answer, Response):
                await answer(receive, send)
            else:
                response = answer if isinstance(answer, Response) else JSONResponse(answer)
                await response(scope, receive, send)
        finally:
            self.at_once -= 1

    def answer(self, *answers: object) -> None:
        self.answers = list(answers)


@pytest.fixture(scope="module")
def server(serve_app: ServeApp) -> tuple[Script, str]:
    script = Script()
    return script, serve_app(script)


@pytest.fixture
def script(server: tuple[Script, str]) -> Script:
    script, _ = server
    script.answers, script.seen, script.most_at_once = [], [], 0
    return script


@pytest.fixture
def url(server: tuple[Script, str]) -> str:
    return server[1]


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VALS_AUTH_KEY", "VALS_API_KEY", "BENCHMARK_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def failure(status: int, detail: object = None, **headers: str) -> Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return JSONResponse({"detail": detail}, status_code=status, headers=names)


async def never_answers(receive: Receive, send: Send) -> None:
    await receive()  # returns when the client hangs up


async def stalls_in_the_body(receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b'{"pass', "more_body": True})
    await receive()


def v1_request(dataset: str | None = "d") -> V1EvaluateRequest:
    payload = Payload(schema_id="my-bench.text.v1", data="42")
    return V1EvaluateRequest(
        run_id="r1", task_id="t1", dataset=dataset, payload=payload, versions={"runner": "dev"}
    )


async def grade(client: BenchmarkServiceClient, dataset: str | None = "d") -> object:
    return await client.evaluate_response(task_id="t1", response="42", dataset=dataset)


async def fails(
    url: str,
    error: type[ServiceError],
    ask: Callable[[BenchmarkServiceClient], Awaitable[object]] = grade,
    **settings: object,
) -> ServiceError:
    async with BenchmarkServiceClient(url, **{"retry": QUICK, **settings}) as client:
        with pytest.raises(error) as caught:
            await ask(client)
    assert type(caught.value) is error
    assert "\n" not in caught.value.message
    return caught.value


class TestRequests:
    async def test_legacy_grading_posts_to_the_path_with_its_slash(
        self, script: Script, url: str
    ) -> None:
        script.answer(GRADE)
        async with BenchmarkServiceClient(url) as client:
            assert await grade(client) == GRADE
        (seen,) = script.seen
        assert (seen.method, seen.path) == ("POST", "/evaluate-response/")
        assert seen.json() == {"task_id": "t1", "response": "42", "dataset": "d"}

    @pytest.mark.parametrize("result", [None, 0.5, "good", [1, None], True])
    async def test_a_legacy_result_may_be_any_json(
        self, script: Script, url: str, result: object
    ) -> None:
        script.answer(JSONResponse(result))
        async with BenchmarkServiceClient(url) as client:
            assert await grade(client, None) == result
        assert script.seen[0].json() == {"task_id": "t1", "response": "42"}

    async def test_v1_grading_names_the_payload_schema(self, script: Script, url: str) -> None:
        script.answer({"task_id": "t1", "status": "evaluated", "result": None})
        async with BenchmarkServiceClient(url) as client:
            answer = await client.evaluate(v1_request())
        assert answer.status is EvalStatus.EVALUATED
        assert script.seen[0].path == "/v1/evaluate"
        assert script.seen[0].json() == {
            "run_id": "r1",
            "task_id": "t1",
            "dataset": "d",
            "payload": {"type": "text", "schema": "my-bench.text.v1", "data": "42"},
            "versions": {"runner": "dev"},
        }

    async def test_a_reduced_answer_of_a_trial_tenant_is_enough(
        self, script: Script, url: str
    ) -> None:
        script.answer({"status": "error", "errors": "error", "result": None})
        async with BenchmarkServiceClient(url) as client:
            answer = await client.evaluate(v1_request(None))
        assert (answer.status, answer.errors) == (EvalStatus.ERROR, ["error"])
        assert "dataset" not in script.seen[0].json()

    async def test_tasks_without_an_eval_are_submitted_as_null(
        self, script: Script, url: str
    ) -> None:
        script.answer({"tasks_evaluated": ["a"], "final_score": 0.5, "metadata": None})
        results = {"a": {"status": "evaluated", "result": None}, "b": None}
        async with BenchmarkServiceClient(url) as client:
            legacy = await client.final_score(results)
            v1 = await client.score(V1ScoreRequest(run_id="r1", evaluation_results=results))
        assert legacy.final_score == v1.final_score == 0.5
        assert [seen.path for seen in script.seen] == ["/final-score/", "/v1/score"]
        assert script.seen[0].json() == {"evaluation_results": results}
        assert script.seen[1].json() == {"run_id": "r1", "evaluation_results": results}

    @pytest.mark.parametrize("dataset", [None, 'the "d"'])
    @pytest.mark.parametrize("count", [0, 3, 3000])
    async def test_results_that_come_one_by_one_are_the_same_request(
        self, script: Script, url: str, dataset: str | None, count: int
    ) -> None:
        script.answer({"tasks_evaluated": ["a"], "final_score": 0.5})
        results: dict[str, JsonValue] = {
            f'ü"{number}': [None, {"evaluation_results": {}, "é": 1e22}, math.nan][number % 3]
            for number in range(count)
        }
        async with BenchmarkServiceClient(url) as client:
            await client.final_score(results, dataset)
            await client.score_each(
                FinalScoreRequest(evaluation_results={}, dataset=dataset), iter(results.items())
            )
            whole = V1ScoreRequest(run_id="r1", evaluation_results=results, dataset=dataset)
            await client.score(whole)
            empty = whole.model_copy(update={"evaluation_results": {}})
            scored = await client.score_each(empty, iter(results.items()))
        assert scored.final_score == 0.5
        legacy, legacy_each, v1, v1_each = script.seen
        assert (legacy_each.path, legacy_each.body) == (legacy.path, legacy.body)
        assert (v1_each.path, v1_each.body) == (v1.path, v1.body)
        assert len(json.loads(v1.body)["evaluation_results"]) == count

    async def test_a_dataset_name_is_encoded_in_the_path(self, script: Script, url: str) -> None:
        script.answer({"dataset": "a/b c?", "tasks": [{"id": "1", "question": "?"}]})
        async with BenchmarkServiceClient(url + "/base/") as client:
            answer = await client.list_tasks("a/b c?")
        assert [task["id"] for task in answer.tasks] == ["1"]
        assert script.seen[0].raw_path == "/base/v1/datasets/a%2Fb%20c%3F/tasks"

    async def test_versions_may_be_null(self, script: Script, url: str) -> None:
        script.answer({"service_name": "x", "eval_mode": None})
        async with BenchmarkServiceClient(url) as client:
            assert (await client.version("d e")).service_name == "x"
            await client.version()
        assert [seen.query for seen in script.seen] == [[("dataset", "d e")], []]

    async def test_health_needs_a_status(self, script: Script, url: str) -> None:
        script.answer({"status": "ok"})
        async with BenchmarkServiceClient(url) as client:
            await client.health()
        script.answer({"hello": "world"})
        await fails(url, BadResponseError, BenchmarkServiceClient.health)

    async def test_thousands_of_task_ids_are_verified_in_chunks(
        self, script: Script, url: str
    ) -> None:
        async def repeat(receive: Receive, send: Send) -> None:
            ids = [value for name, value in script.seen[-1].query if name == "task_ids"]
            response = JSONResponse({"task_ids": ids})
            await response({"type": "http", "method": "GET"}, receive, send)

        script.answer(repeat)
        asked = [f"täsk & {number}" for number in range(1500)]
        async with BenchmarkServiceClient(url) as client:
            assert await client.verify_task_ids(asked, "d e") == asked
            assert await client.verify_task_ids([]) == []
        assert len(script.seen) > 10
        assert all(("dataset", "d e") in seen.query for seen in script.seen)


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
    async def test_the_environment_decides_which_one_key_is_sent(
        self,
        script: Script,
        url: str,
        monkeypatch: pytest.MonkeyPatch,
        environment: dict[str, str],
        name: str | None,
        header: tuple[str, str] | None,
    ) -> None:
        for variable, value in environment.items():
            monkeypatch.setenv(variable, value)
        script.answer(GRADE)
        async with build_client(url) as client:
            await grade(client)
            assert client.auth_name == describe_auth() == name
        sent = script.seen[0].headers
        keys = [(key, sent[key]) for key in ("x-descope-api-key", "authorization") if key in sent]
        assert keys == ([header] if header else [])

    async def test_a_401_names_the_variable_but_never_the_key(
        self, script: Script, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
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

    async def test_a_401_without_a_key_says_what_to_set(self, script: Script, url: str) -> None:
        script.answer(failure(401, "Unauthorized"))
        error = await fails(url, AuthenticationError)
        assert "none is set" in error.message
        assert "VALS_AUTH_KEY" in (error.hint or "")

    async def test_a_bearer_403_on_v1_says_which_key_v1_wants(
        self, script: Script, url: str
    ) -> None:
        script.answer(failure(403, "The /v1/ surface requires Descope authentication."))
        bearer = {"Authorization": f"Bearer {KEY}"}
        for ask in (
            lambda client: client.evaluate(v1_request()),
            lambda client: client.list_tasks("d"),
        ):
            error = await fails(url, PermissionDeniedError, ask, headers=bearer)
            assert "/v1" in error.message
            assert "VALS_AUTH_KEY" in (error.hint or "")

    async def test_a_bearer_key_is_told_of_the_file_only_where_tasks_are_listed(
        self, script: Script, url: str
    ) -> None:
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

    async def test_a_403_for_a_dataset_names_it(self, script: Script, url: str) -> None:
        script.answer(failure(403, "Dataset not allowed"))
        error = await fails(url, PermissionDeniedError, headers={"x-descope-api-key": KEY})
        assert "'d'" in error.message
        assert "Dataset not allowed" in error.message
        assert "--dataset-name" in (error.hint or "")

    def test_a_key_does_not_go_over_plain_http_to_another_machine(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
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
    def test_a_key_that_no_header_can_carry_is_refused_unseen(
        self, monkeypatch: pytest.MonkeyPatch, key: str
    ) -> None:
        monkeypatch.setenv("BENCHMARK_API_KEY", key)
        with pytest.raises(UsageError) as caught:
            build_client("https://example.com")
        assert "BENCHMARK_API_KEY" in caught.value.message
        assert key not in caught.value.message

    async def test_user_info_is_sent_as_basic_authentication_and_shown_nowhere(
        self, script: Script, url: str
    ) -> None:
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

    async def test_a_redirect_is_refused_and_no_key_follows_it(
        self, script: Script, url: str
    ) -> None:
        script.answer(
            Response(status_code=307, headers={"location": "https://other.example:8443/p?token=t"})
        )
        error = await fails(url, RejectedRequestError, headers={"x-descope-api-key": KEY})
        assert "https://other.example:8443" in error.message
        assert "token" not in f"{error.message}{error.hint}"
        assert "--service-url" in (error.hint or "")
        assert len(script.seen) == 1

    async def test_a_redirect_within_the_service_says_so(self, script: Script, url: str) -> None:
        script.answer(Response(status_code=308, headers={"location": "/elsewhere"}))
        error = await fails(url, RejectedRequestError)
        assert "another path of its own" in error.message


class TestServiceUrl:
    @pytest.mark.parametrize(
        "given",
        ["", "  ", "local", "localhost:8000", "ftp://host", "http://", "http://h:port", "/path"],
    )
    def test_what_is_no_service_url_says_what_to_set(self, given: str) -> None:
        with pytest.raises(UsageError) as caught:
            build_client(given)
        assert "SERVICE_URL" in (caught.value.hint or "")
        assert "--service-url" in (caught.value.hint or "")

    @pytest.mark.parametrize(
        "given", ["ftp://u:pass@h", "u:pass@h", "http://u:pass@h:x", "https://h/?t=pass"]
    )
    def test_a_refused_url_shows_no_secret(self, given: str) -> None:
        with pytest.raises(UsageError) as caught:
            build_client(given)
        assert "pass" not in f"{caught.value.message}{caught.value.hint}"

    @pytest.mark.parametrize("port", [0, 65536, 99999])
    def test_a_port_that_can_not_be_is_refused(self, port: int) -> None:
        with pytest.raises(UsageError) as caught:
            build_client(f"http://u:pass@127.0.0.1:{port}")
        assert str(port) in caught.value.message
        assert "pass" not in caught.value.message
        assert "65535" in (caught.value.hint or "")

    @pytest.mark.parametrize("host", ["xn--a", "\u2028x", "999.1.1.1"])
    def test_a_host_that_can_not_be_is_refused(self, host: str) -> None:
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
    def test_a_proxy_or_certificate_that_can_not_be_used_is_told_without_its_secret(
        self, monkeypatch: pytest.MonkeyPatch, name: str, value: str
    ) -> None:
        monkeypatch.setenv(name, value)
        with pytest.raises(UsageError) as caught:
            build_client("https://host")
        assert "pass" not in caught.value.message
        assert name in (caught.value.hint or "")

    def test_the_base_url_attribute_has_no_user_info(self) -> None:
        client = BenchmarkServiceClient("https://u:p@host:8443/base/")
        assert client.base_url == "https://host:8443/base"
        assert client.local is False

    @pytest.mark.parametrize("settings", [{"timeout": 0}, {"max_connections": 0}])
    def test_limits_that_make_no_sense_are_refused(self, settings: dict[str, int]) -> None:
        with pytest.raises(UsageError):
            BenchmarkServiceClient("https://host", **settings)


class TestStatusCodes:
    @pytest.mark.parametrize("status", [409, 429, 500, 502, 503, 504])
    async def test_trouble_that_may_pass_is_retried(
        self, script: Script, url: str, status: int
    ) -> None:
        notices: list[RetryNotice] = []
        script.answer(failure(status, "trouble"), failure(status, "trouble"), GRADE)
        async with BenchmarkServiceClient(url, retry=QUICK) as client:
            client.on_retry = notices.append
            assert await grade(client) == GRADE
        assert len(script.seen) == 3
        assert [notice.status_code for notice in notices] == [status, status]
        assert "trouble" in notices[0].reason

    @pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
    async def test_trouble_that_lasts_ends_after_the_allowed_attempts(
        self, script: Script, url: str, status: int
    ) -> None:
        script.answer(failure(status, "trouble"))
        error = await fails(url, ServiceUnavailableError)
        assert len(script.seen) == QUICK.attempts
        assert error.status_code == status
        assert error.detail == "trouble"
        for part in ("task 't1'", "'d'", url, f"HTTP {status}: trouble (after several attempts)"):
            assert part in error.message
        assert error.hint

    async def test_how_often_was_tried_makes_no_other_message(
        self, script: Script, url: str
    ) -> None:
        script.answer(failure(503, "down"))
        messages = {
            (await fails(url, ServiceUnavailableError, retry=policy)).message
            for policy in (RetryPolicy(2, first_wait=0), RetryPolicy(3, first_wait=0))
        }
        assert len(messages) == 1

    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            (400, RejectedRequestError),
            (401, AuthenticationError),
            (403, PermissionDeniedError),
            (404, NotFoundError),
            (405, RejectedRequestError),
            (413, RejectedRequestError),
            (422, RejectedRequestError),
            (501, UnsupportedError),
        ],
    )
    async def test_what_no_retry_heals_is_asked_once(
        self, script: Script, url: str, status: int, kind: type[ServiceError]
    ) -> None:
        script.answer(failure(status, "because"))
        for ask in (grade, lambda client: client.evaluate(v1_request())):
            script.seen.clear()
            error = await fails(url, kind, ask)
            assert len(script.seen) == 1
            assert error.status_code == status
            assert error.detail == "because"
            for part in ("task 't1'", "'d'", url, "because"):
                assert part in error.message

    async def test_a_missing_task_list_suggests_a_file(self, script: Script, url: str) -> None:
        script.answer(failure(501, "list_tasks is not implemented"))
        error = await fails(url, UnsupportedError, lambda client: client.list_tasks("val"))
        assert "--dataset-file" in (error.hint or "")
        for part in ("'val'", url, "501"):
            assert part in error.message

    async def test_an_unknown_dataset_is_named(self, script: Script, url: str) -> None:
        script.answer(failure(404, "Dataset not found: val"))
        error = await fails(url, NotFoundError, lambda client: client.list_tasks("val"))
        assert "'val'" in error.message
        assert "--dataset-name" in (error.hint or "")

    async def test_a_validation_detail_is_shown_whole_and_on_one_line(
        self, script: Script, url: str
    ) -> None:
        detail = [{"loc": ["body", "task_id"], "msg": "x" * 2000, "type": "missing"}]
        script.answer(failure(422, detail))
        error = await fails(url, RejectedRequestError)
        assert json.loads(error.detail or "") == detail
        assert (error.detail or "") in error.message

    async def test_a_long_detail_is_cut(self, script: Script, url: str) -> None:
        script.answer(failure(400, "long\n" * 1000))
        error = await fails(url, RejectedRequestError)
        assert error.detail == "long " * 99 + "long…"
        assert "long…" in error.message

    async def test_a_secret_at_the_cut_is_not_shown_in_part(self, script: Script, url: str) -> None:
        script.answer(failure(400, "x" * 495 + KEY))
        error = await fails(url, RejectedRequestError, headers={"x-descope-api-key": KEY})
        assert KEY[:3] not in error.message

    async def test_neither_is_a_providers_key_that_a_grader_echoes(
        self, script: Script, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789abcdef")
        script.answer(failure(400, "x" * 495 + "sk-0123456789abcdef"))
        error = await fails(url, RejectedRequestError)
        assert "sk-" not in error.message
        assert error.message.endswith("x***")

    async def test_a_detail_is_cut_between_words(self, script: Script, url: str) -> None:
        for kept in ("x" * 490, "x" * 500):
            script.answer(failure(400, f"{kept} a-key-of-somebody-else and more"))
            error = await fails(url, RejectedRequestError)
            assert error.detail == f"{kept}…"

    async def test_an_html_error_page_is_told_by_its_status(self, script: Script, url: str) -> None:
        script.answer(Response("<html><b>Bad Gateway</b></html>", status_code=502))
        error = await fails(url, ServiceUnavailableError)
        assert "HTTP 502: Bad Gateway" in error.message
        assert "<" not in error.message

    async def test_a_short_retry_after_is_honoured(self, script: Script, url: str) -> None:
        notices: list[RetryNotice] = []
        script.answer(failure(429, "slow down", retry_after="1"), GRADE)
        began = time.monotonic()
        async with BenchmarkServiceClient(url, retry=QUICK, on_retry=notices.append) as client:
            assert await grade(client) == GRADE
        assert time.monotonic() - began >= 1
        assert notices[0].wait >= 1

    @pytest.mark.parametrize("value", ["121", "Thu, 01 Jan 2099 00:00:00 GMT"])
    async def test_a_used_up_quota_is_never_slept_on(
        self, script: Script, url: str, value: str
    ) -> None:
        script.answer(failure(429, "limit reached", retry_after=value))
        error = await fails(url, QuotaExceededError)
        assert len(script.seen) == 1
        assert error.resets_at is not None
        assert error.resets_at.isoformat() in error.message
        assert error.stops_evaluation

    async def test_the_reset_time_of_a_quota_is_the_one_in_the_detail(
        self, script: Script, url: str
    ) -> None:
        script.answer(
            failure(
                429,
                "Evaluation request limit of 1 per week reached; "
                "try again after 2099-11-30T00:00:00Z.",
                retry_after="561600",
            )
        )
        error = await fails(url, QuotaExceededError, lambda client: client.evaluate(v1_request()))
        assert error.resets_at == datetime(2099, 11, 30, tzinfo=UTC)


class TestBadAnswers:
    @pytest.mark.parametrize(
        "content",
        [b"", b"<html></html>", b'{"pass_percentage": NaN}', b"[Infinity]", b"[1e999]", b"\xff"],
    )
    async def test_a_grade_that_is_no_json_is_refused(
        self, script: Script, url: str, content: bytes
    ) -> None:
        script.answer(Response(content))
        error = await fails(url, BadResponseError)
        assert url in error.message
        assert len(script.seen) == 1

    @pytest.mark.parametrize(
        "answer",
        [
            [],
            {"task_id": "t1"},
            {"task_id": "t1", "status": "splendid"},
            {"task_id": "t2", "status": "evaluated", "result": 1},
        ],
    )
    async def test_a_v1_grade_of_the_wrong_shape_or_task_is_refused(
        self, script: Script, url: str, answer: object
    ) -> None:
        script.answer(JSONResponse(answer))
        await fails(url, BadResponseError, lambda client: client.evaluate(v1_request()))

    @pytest.mark.parametrize("content", ["{}", '{"final_score": NaN}', '{"final_score": 1e999}'])
    async def test_a_score_without_a_finite_number_is_refused(
        self, script: Script, url: str, content: str
    ) -> None:
        script.answer(Response(content))
        await fails(url, BadResponseError, lambda client: client.final_score({"t": None}))

    @pytest.mark.parametrize("answer", [{}, {"tasks": {}}, {"tasks": ["t1"]}])
    async def test_a_task_list_of_the_wrong_shape_is_refused(
        self, script: Script, url: str, answer: object
    ) -> None:
        script.answer(JSONResponse(answer))
        error = await fails(url, BadResponseError, lambda client: client.list_tasks("d"))
        assert "tasks" in error.message

    async def test_a_body_that_can_not_be_decoded_is_refused(
        self, script: Script, url: str
    ) -> None:
        script.answer(Response(b"not gzip", headers={"content-encoding": "gzip"}))
        await fails(url, BadResponseError)

    async def test_a_huge_grade_or_score_is_refused_and_a_task_list_of_that_size_is_not(
        self, script: Script, url: str
    ) -> None:
        script.answer(Response(b'{"tasks": [], "final_score": 1}' + b" " * 32 * 1024**2))
        for ask in (
            grade,
            lambda client: client.evaluate(v1_request()),
            lambda client: client.final_score({"t1": None}),
            BenchmarkServiceClient.version,
        ):
            script.seen.clear()
            error = await fails(url, BadResponseError, ask)
            assert "it is larger than 32 MiB" in error.message
            assert len(script.seen) == 1
        async with BenchmarkServiceClient(url) as client:
            assert (await client.list_tasks("d")).tasks == []

    async def test_a_task_list_has_a_bound_of_its_own(
        self, script: Script, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert http_call._LARGEST_TASK_LIST == 1024**3
        monkeypatch.setattr(http_call, "_LARGEST_TASK_LIST", 1024**2)
        script.answer(Response(b'{"tasks": []}' + b" " * 1024**2))
        error = await fails(url, BadResponseError, lambda client: client.list_tasks("d"))
        assert "it is larger than 1 MiB" in error.message

    async def test_a_compression_that_can_be_bounded_is_asked_for_and_undone(
        self, script: Script, url: str
    ) -> None:
        packed = gzip.compress(json.dumps(GRADE).encode())
        script.answer(Response(packed, headers={"content-encoding": "gzip"}))
        async with BenchmarkServiceClient(url) as client:
            assert await grade(client) == GRADE
        assert script.seen[0].headers["accept-encoding"] == "gzip"

    async def test_a_huge_refusal_is_told_by_its_status_and_its_first_words(
        self, script: Script, url: str
    ) -> None:
        script.answer(Response(b"no such task " * 1024**2, status_code=400))
        error = await fails(url, RejectedRequestError)
        assert error.status_code == 400
        assert 480 < len(error.detail or "") <= 501
        assert "HTTP 400: no such task" in error.message

    async def test_an_answer_that_a_transport_has_ready_is_read(self) -> None:
        ready = httpx.MockTransport(lambda _request: httpx.Response(200, json=GRADE))
        async with BenchmarkServiceClient("https://host", transport=ready) as client:
            assert await grade(client) == GRADE

    async def test_a_result_that_is_not_unicode_is_refused_before_it_is_sent(
        self, script: Script, url: str
    ) -> None:
        request = V1ScoreRequest(run_id="r1", evaluation_results={})
        for results in ({"t1": "\ud800"}, {"t1": None, "\ud800": None}):
            error = await fails(
                url,
                RejectedRequestError,
                lambda client, of=results: client.score_each(request, of.items()),
            )
            assert "score run 'r1'" in error.message
            assert "surrogates" in (error.hint or "")
        assert script.seen == []

    async def test_a_response_that_is_not_unicode_is_refused_before_it_is_sent(
        self, script: Script, url: str
    ) -> None:
        error = await fails(
            url,
            RejectedRequestError,
            lambda client: client.evaluate_response(task_id="t1", response="\ud800"),
        )
        assert "'t1'" in error.message
        assert script.seen == []


class TestTransport:
    async def test_a_service_that_is_down_is_reported_within_seconds(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        began = time.monotonic()
        error = await fails(
            f"http://127.0.0.1:{port}",
            ServiceUnavailableError,
            BenchmarkServiceClient.health,
            retry=None,
        )
        assert time.monotonic() - began < 5
        assert f"127.0.0.1:{port}" in error.message
        assert "ConnectError" in error.message
        assert "--service-url" in (error.hint or "")
        assert "--eval-timeout" not in (error.hint or "")
        assert error.status_code is None

    async def test_a_service_that_never_answers_is_noticed_within_seconds(
        self, script: Script, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert client_module._HEALTH_TIMEOUT * 2 <= client_module._QUICK_TIMEOUT <= 10
        monkeypatch.setattr(client_module, "_HEALTH_TIMEOUT", 0.1)
        monkeypatch.setattr(client_module, "_QUICK_TIMEOUT", 0.3)
        script.answer(never_answers)
        for ask, tries in (
            (BenchmarkServiceClient.health, 2),
            (BenchmarkServiceClient.version, 1),
            (lambda client: client.verify_task_ids(["t1"]), 1),
        ):
            script.seen.clear()
            error = await fails(url, ServiceUnavailableError, ask)
            assert len(script.seen) >= tries
            assert "no answer within" in error.message
            assert "--service-url" in (error.hint or "")
            assert "--eval-timeout" not in (error.hint or "")

    async def test_a_task_list_may_take_as_long_as_a_grade(
        self, script: Script, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(client_module, "_QUICK_TIMEOUT", 0.01)

        async def takes_a_while(receive: Receive, send: Send) -> None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(receive(), 0.1)
            answer = JSONResponse({"dataset": "d", "tasks": []})
            await answer({"type": "http", "method": "GET"}, receive, send)

        script.answer(takes_a_while)
        async with BenchmarkServiceClient(url, timeout=10) as client:
            assert (await client.list_tasks("d")).tasks == []
        script.answer(never_answers)
        error = await fails(
            url, ServiceUnavailableError, lambda client: client.list_tasks("d"), timeout=0.1
        )
        assert "no answer within 0.1 s" in error.message

    async def test_only_an_answer_that_took_too_long_suggests_a_longer_time_out(
        self, script: Script, url: str
    ) -> None:
        with closing_server(closes=99) as (closing, _):
            error = await fails(closing, ServiceUnavailableError)
        assert "--eval-timeout" not in (error.hint or "")

    @pytest.mark.parametrize(
        ("raised", "tries"),
        [
            (OSError("odd"), 2),
            (OverflowError("odd"), 1),
            (UnicodeError("odd"), 1),
            (ValueError("odd"), 1),
            (httpx.InvalidURL("odd"), 1),
            (ExceptionGroup("g", [ExceptionGroup("g", [OverflowError("odd")])]), 1),
        ],
    )
    async def test_whatever_the_network_raises_is_told_in_a_sentence(
        self, raised: Exception, tries: int
    ) -> None:
        asked: list[httpx.Request] = []

        class Odd(httpx.AsyncBaseTransport):
            async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
                asked.append(request)
                raise raised

        retry = RetryPolicy(attempts=2, first_wait=0)
        error = await fails("https://host", ServiceUnavailableError, transport=Odd(), retry=retry)
        assert "Error: odd" in error.message or "InvalidURL: odd" in error.message
        assert len(asked) == tries

    async def test_a_name_that_is_not_unicode_is_asked_for_all_the_same(
        self, script: Script, url: str
    ) -> None:
        script.answer(failure(404, "Dataset not found"))
        for ask in (
            lambda client: client.list_tasks("\udcff"),
            lambda client: client.version("\udcff"),
            lambda client: client.verify_task_ids(["\udcff"], "d"),
        ):
            error = await fails(url, NotFoundError, ask)
            error.message.encode()

    async def test_a_connection_closed_without_an_answer_is_retried(self) -> None:
        with closing_server(closes=2) as (url, accepted):
            async with BenchmarkServiceClient(url, retry=QUICK) as client:
                assert await grade(client) == GRADE
        assert len(accepted) == 3

    async def test_a_connection_that_always_closes_is_reported(self) -> None:
        with closing_server(closes=99) as (url, accepted):
            error = await fails(url, ServiceUnavailableError)
        assert len(accepted) == QUICK.attempts
        assert "RemoteProtocolError" in error.message or "ReadError" in error.message

    @pytest.mark.parametrize("slow", [never_answers, stalls_in_the_body])
    async def test_the_time_out_bounds_all_phases_of_a_try_and_is_retried(
        self, script: Script, url: str, slow: Answer
    ) -> None:
        script.answer(slow, GRADE)
        async with BenchmarkServiceClient(url, retry=QUICK, timeout=0.2) as client:
            assert await grade(client) == GRADE
        script.answer(slow)
        error = await fails(
            url, ServiceUnavailableError, timeout=0.05, retry=RetryPolicy(2, first_wait=0.001)
        )
        assert "no answer within 0.05 s" in error.message
        assert "--eval-timeout" in (error.hint or "")

    async def test_no_other_time_out_than_the_one_given_ends_a_grading(self) -> None:
        limits: list[object] = []

        def answer(request: httpx.Request) -> httpx.Response:
            limits.append(request.extensions["timeout"])
            return httpx.Response(200, json={"status": "evaluated", "final_score": 1.0})

        async with BenchmarkServiceClient(
            "https://host", timeout=600, transport=httpx.MockTransport(answer)
        ) as client:
            await grade(client)
            await client.evaluate(v1_request())
            await client.final_score({"t1": None})
        assert limits == [{"connect": 10.0, "read": None, "write": None, "pool": None}] * 3

    async def test_a_slow_grade_is_waited_for_beyond_what_the_http_library_would(
        self, script: Script, url: str
    ) -> None:
        async def slow(receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for part in (b'{"pass_percent', b'age": 1.0}'):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(receive(), 0.2)
                await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b""})

        script.answer(slow)
        async with BenchmarkServiceClient(url, retry=RetryPolicy(attempts=1)) as client:
            client._http.timeout = httpx.Timeout(0.1)
            assert await grade(client) == GRADE

    async def test_waiting_for_a_free_connection_does_not_count_as_time(
        self, script: Script, url: str
    ) -> None:
        async def takes_a_while(receive: Receive, send: Send) -> None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(receive(), 0.1)
            await JSONResponse(GRADE)({"type": "http", "method": "POST"}, receive, send)

        script.answer(takes_a_while)
        once = RetryPolicy(attempts=1)
        settings = {"retry": once, "timeout": 0.5, "max_connections": 2}
        async with BenchmarkServiceClient(url, **settings) as client:
            grades = await asyncio.gather(*(grade(client) for _ in range(14)))
        assert grades == [GRADE] * 14
        assert script.most_at_once == 2

    async def test_a_waiting_retry_holds_no_connection(self, script: Script, url: str) -> None:
        script.answer(failure(429, "busy", retry_after="1"), GRADE)
        waiting = asyncio.Event()
        async with BenchmarkServiceClient(
            url, retry=QUICK, max_connections=1, on_retry=lambda _notice: waiting.set()
        ) as client:
            first = asyncio.create_task(grade(client))
            await waiting.wait()
            assert await grade(client) == GRADE
            assert not first.done()
            assert await first == GRADE

    async def test_one_call_may_have_a_policy_of_its_own(self, script: Script, url: str) -> None:
        script.answer(failure(503, "down"))
        await fails(
            url,
            ServiceUnavailableError,
            lambda client: client.list_tasks("d", retry=RetryPolicy(attempts=1)),
        )
        assert len(script.seen) == 1

    async def test_a_proxy_of_the_environment_is_not_used_for_this_machine(
        self, script: Script, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        script.answer(GRADE)
        async with BenchmarkServiceClient(url, retry=RetryPolicy(attempts=1)) as client:
            assert await grade(client) == GRADE

    async def test_a_fault_of_the_transport_shows_no_key(self) -> None:
        class Faulty(httpx.AsyncBaseTransport):
            async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
                raise httpx.ReadError(f"lost with {request.headers['x-descope-api-key']}")

        error = await fails(
            "https://host",
            ServiceUnavailableError,
            transport=Faulty(),
            headers={"x-descope-api-key": KEY},
        )
        assert "ReadError: lost with ***" in error.message


class TestCapacity:
    """A 429 without ``Retry-After`` lowers the number of requests at a time."""

    def refuse(self, together: int, **headers: str) -> Answer:
        met = asyncio.Barrier(together)

        async def answer(receive: Receive, send: Send) -> None:
            await met.wait()
            refusal = failure(429, "no capacity", **headers)
            await refusal({"type": "http", "method": "POST"}, receive, send)

        return answer

    def accept(self, together: int) -> Answer:
        met = asyncio.Barrier(together)

        async def answer(receive: Receive, send: Send) -> None:
            await met.wait()
            await JSONResponse(GRADE)({"type": "http", "method": "POST"}, receive, send)

        return answer

    async def test_a_refused_burst_halves_it_once_and_successes_bring_it_back(
        self, script: Script, url: str
    ) -> None:
        busy: list[int] = []
        seen: list[int] = []

        async def takes_a_while(receive: Receive, send: Send) -> None:
            busy.append(1)
            seen.append(len(busy))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(receive(), 0.1)
            busy.pop()
            await JSONResponse(GRADE)({"type": "http", "method": "POST"}, receive, send)

        script.answer(*[self.refuse(4)] * 4, takes_a_while)
        async with (
            asyncio.timeout(10),
            BenchmarkServiceClient(url, retry=QUICK, max_connections=4) as client,
        ):
            await asyncio.gather(*(grade(client) for _ in range(4)))
            assert max(seen) == 2
            script.answer(GRADE)
            for _ in range(8):
                await grade(client)
            script.answer(self.accept(4))
            await asyncio.gather(*(grade(client) for _ in range(4)))

    async def test_a_rate_limit_that_says_when_to_come_back_does_not_lower_it(
        self, script: Script, url: str
    ) -> None:
        refused = self.refuse(4, retry_after="0")
        script.answer(*[refused] * 4, self.accept(4))
        async with (
            asyncio.timeout(10),
            BenchmarkServiceClient(url, retry=QUICK, max_connections=4) as client,
        ):
            await asyncio.gather(*(grade(client) for _ in range(4)))
        assert len(script.seen) == 8


@contextlib.contextmanager
def closing_server(closes: int) -> Iterator[tuple[str, list[int]]]:
    """Close that many connections after reading a request, then grade."""
    accepted: list[int] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                accepted.append(1)
                connection.recv(65536)
                if len(accepted) > closes:
                    body = json.dumps(GRADE).encode()
                    head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\n"
                    connection.sendall(head.encode() + b"connection: close\r\n\r\n" + body)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", accepted
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
