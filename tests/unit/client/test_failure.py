from __future__ import annotations

import json
import time
from datetime import UTC, datetime

import pytest
from starlette.responses import Response

from benchmark_runner.client.retry import RetryNotice, RetryPolicy
from benchmark_runner.client.service_client import BenchmarkServiceClient
from benchmark_runner.errors import (
    AuthenticationError,
    NotFoundError,
    PermissionDeniedError,
    QuotaExceededError,
    RejectedRequestError,
    ServiceError,
    ServiceUnavailableError,
    UnsupportedError,
)
from tests.unit.client.scripted_server import (
    GRADE,
    KEY,
    QUICK,
    Script,
    fails,
    failure,
    grade,
    v1_request,
)

pytestmark = pytest.mark.anyio


class TestStatusCodes:
    @pytest.mark.parametrize("status", [409, 429, 500, 502, 503, 504])
    async def test_transient_status_is_retried(self, script: Script, url: str, status: int) -> None:
        """A status that may pass is retried, and each retry is announced."""
        notices: list[RetryNotice] = []
        script.answer(failure(status, "trouble"), failure(status, "trouble"), GRADE)
        async with BenchmarkServiceClient(url, retry=QUICK) as client:
            client.calls.on_retry = notices.append
            assert await grade(client) == GRADE
        assert len(script.seen) == 3
        assert [notice.status_code for notice in notices] == [status, status]
        assert "trouble" in notices[0].reason

    @pytest.mark.parametrize(
        ("status", "error"), [(500, ServiceUnavailableError), (501, UnsupportedError)]
    )
    async def test_service_with_a_websocket_only(
        self, script: Script, url: str, status: int, error: type[ServiceError]
    ) -> None:
        """The error of a service that may have a WebSocket only names the line to set."""
        script.answer(failure(status, "not implemented"))
        failed = await fails(url, error)
        assert 'EVALUATION_API = "websocket"' in (failed.hint or "")

    @pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
    async def test_lasting_error_ends_after_the_attempts(
        self, script: Script, url: str, status: int
    ) -> None:
        """An error that lasts ends after the allowed attempts, with its details."""
        script.answer(failure(status, "trouble"))
        error = await fails(url, ServiceUnavailableError)
        assert len(script.seen) == QUICK.attempts
        assert error.status_code == status
        assert error.detail == "trouble"
        for part in ("task 't1'", "'d'", url, f"HTTP {status}: trouble (after several attempts)"):
            assert part in error.message
        assert error.hint

    async def test_number_of_attempts_is_not_in_the_message(self, script: Script, url: str) -> None:
        """The message is the same for any number of attempts."""
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
    async def test_permanent_status_is_asked_once(
        self, script: Script, url: str, status: int, kind: type[ServiceError]
    ) -> None:
        """A status that no retry can change is asked once."""
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
        """A service that can't list tasks suggests a dataset file."""
        script.answer(failure(501, "list_tasks is not implemented"))
        error = await fails(url, UnsupportedError, lambda client: client.list_tasks("val"))
        assert "--dataset-file" in (error.hint or "")
        for part in ("'val'", url, "501"):
            assert part in error.message

    async def test_an_unknown_dataset_is_named(self, script: Script, url: str) -> None:
        """An unknown dataset is named with a hint."""
        script.answer(failure(404, "Dataset not found: val"))
        error = await fails(url, NotFoundError, lambda client: client.list_tasks("val"))
        assert "'val'" in error.message
        assert "--dataset-name" in (error.hint or "")

    async def test_validation_detail_is_shown_whole(self, script: Script, url: str) -> None:
        """The detail of a validation error is shown completely, on one line."""
        detail = [{"loc": ["body", "task_id"], "msg": "x" * 2000, "type": "missing"}]
        script.answer(failure(422, detail))
        error = await fails(url, RejectedRequestError)
        assert json.loads(error.detail or "") == detail
        assert (error.detail or "") in error.message

    async def test_a_long_detail_is_cut(self, script: Script, url: str) -> None:
        """A long detail is cut at about 500 characters."""
        script.answer(failure(400, "long\n" * 1000))
        error = await fails(url, RejectedRequestError)
        assert error.detail == "long " * 99 + "long…"
        assert "long…" in error.message

    async def test_secret_at_the_cut_is_masked(self, script: Script, url: str) -> None:
        """A secret where a detail is cut is not shown in part."""
        script.answer(failure(400, "x" * 495 + KEY))
        error = await fails(url, RejectedRequestError, headers={"x-descope-api-key": KEY})
        assert KEY[:3] not in error.message

    async def test_providers_key_in_a_detail_is_masked(
        self, script: Script, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A provider's key that a grader repeats is not shown."""
        monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789abcdef")
        script.answer(failure(400, "x" * 495 + "sk-0123456789abcdef"))
        error = await fails(url, RejectedRequestError)
        assert "sk-" not in error.message
        assert error.message.endswith("x***")

    async def test_a_detail_is_cut_between_words(self, script: Script, url: str) -> None:
        """A detail is cut between words, also before a foreign key."""
        for kept in ("x" * 490, "x" * 500):
            script.answer(failure(400, f"{kept} a-key-of-somebody-else and more"))
            error = await fails(url, RejectedRequestError)
            assert error.detail == f"{kept}…"

    async def test_html_error_page_shows_its_status(self, script: Script, url: str) -> None:
        """An HTML error page is shown by its status only."""
        script.answer(Response("<html><b>Bad Gateway</b></html>", status_code=502))
        error = await fails(url, ServiceUnavailableError)
        assert "HTTP 502: Bad Gateway" in error.message
        assert "<" not in error.message

    async def test_short_retry_after_is_waited_for(self, script: Script, url: str) -> None:
        """A short Retry-After is waited for."""
        notices: list[RetryNotice] = []
        script.answer(failure(429, "slow down", retry_after="1"), GRADE)
        began = time.monotonic()
        async with BenchmarkServiceClient(url, retry=QUICK, on_retry=notices.append) as client:
            assert await grade(client) == GRADE
        assert time.monotonic() - began >= 1
        assert notices[0].wait >= 1

    @pytest.mark.parametrize("value", ["121", "Thu, 01 Jan 2099 00:00:00 GMT"])
    async def test_used_up_quota_is_not_waited_for(
        self, script: Script, url: str, value: str
    ) -> None:
        """A used-up quota ends at once and says when it resets."""
        script.answer(failure(429, "limit reached", retry_after=value))
        error = await fails(url, QuotaExceededError)
        assert len(script.seen) == 1
        assert error.resets_at is not None
        assert error.resets_at.isoformat() in error.message
        assert error.stops_evaluation

    async def test_quota_resets_at_the_time_in_the_detail(self, script: Script, url: str) -> None:
        """The reset time of a quota is the one in the detail."""
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
