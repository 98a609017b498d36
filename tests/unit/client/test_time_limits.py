"""The time limits of calls, and the calls that are made again when one is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from benchmark_runner.client import service_client as client_module
from benchmark_runner.client import typed_calls
from benchmark_runner.client.retry import RetryPolicy
from benchmark_runner.client.service_client import BenchmarkServiceClient
from benchmark_runner.errors import ServiceUnavailableError
from tests.unit.client.scripted_server import (
    GRADE,
    QUICK,
    Script,
    answers_after,
    fails,
    failure,
    grade,
    never_answers,
    stalls_in_the_body,
    v1_request,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.unit.client.scripted_server import Answer

pytestmark = pytest.mark.anyio


class TestTimeLimits:
    async def test_silent_service_is_noticed_in_seconds(
        self, script: Script, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A service that never answers quick requests is noticed within seconds."""
        assert client_module._HEALTH_TIMEOUT * 2 <= typed_calls._QUICK_TIMEOUT <= 10
        monkeypatch.setattr(client_module, "_HEALTH_TIMEOUT", 0.1)
        monkeypatch.setattr(typed_calls, "_QUICK_TIMEOUT", 0.3)
        script.answer(never_answers)
        for ask, tries in (
            (BenchmarkServiceClient.health, 2),
            (BenchmarkServiceClient.version, 1),
            (lambda client: client.verify_task_ids(["t1"]), 1),
            (BenchmarkServiceClient.resolve_dataset, 1),
        ):
            script.seen.clear()
            error = await fails(url, ServiceUnavailableError, ask)
            assert len(script.seen) >= tries
            assert "no answer within" in error.message
            assert "--service-url" in (error.hint or "")
            assert "--eval-timeout" not in (error.hint or "")

    async def test_task_list_has_the_evaluation_timeout(
        self, script: Script, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A task list may take as long as an evaluation."""
        monkeypatch.setattr(typed_calls, "_QUICK_TIMEOUT", 0.01)
        script.answer(answers_after(0.1, {"dataset": "d", "tasks": []}))
        async with BenchmarkServiceClient(url, timeout=10) as client:
            assert (await client.list_tasks("d")).tasks == []
        script.answer(never_answers)
        error = await fails(
            url, ServiceUnavailableError, lambda client: client.list_tasks("d"), timeout=0.1
        )
        assert "no answer within 0.1 s" in error.message

    @pytest.mark.parametrize("slow", [never_answers, stalls_in_the_body])
    async def test_timeout_covers_all_phases(self, script: Script, url: str, slow: Answer) -> None:
        """The timeout covers all phases of one attempt, which is retried."""
        script.answer(slow, GRADE)
        async with BenchmarkServiceClient(url, retry=QUICK, timeout=0.2) as client:
            assert await grade(client) == GRADE
        script.answer(slow)
        error = await fails(
            url, ServiceUnavailableError, timeout=0.05, retry=RetryPolicy(2, first_wait=0.001)
        )
        assert "no answer within 0.2 s, and before that none within 0.05 s" in error.message
        assert "--eval-timeout" in (error.hint or "")

    async def test_only_our_timeout_ends_an_evaluation(self) -> None:
        """No timeout of the HTTP library ends an evaluation."""
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


class TestSlowEvaluations:
    """An evaluation that takes too long, or that another request has begun."""

    @pytest.mark.parametrize(
        "ask", [grade, lambda client: client.evaluate(v1_request())], ids=["legacy", "v1"]
    )
    async def test_slow_evaluation_is_asked_for_twice(
        self, script: Script, url: str, ask: Callable[[BenchmarkServiceClient], Awaitable[object]]
    ) -> None:
        """An evaluation that takes too long is asked for once more only: each one is paid."""
        script.answer(never_answers)
        error = await fails(url, ServiceUnavailableError, ask, timeout=0.05)
        assert error.timed_out
        assert len(script.seen) == 2

    async def test_second_request_may_take_longer(self, script: Script, url: str) -> None:
        """The second request for an evaluation has more time than the first one."""
        script.answer(answers_after(0.5))
        async with BenchmarkServiceClient(url, retry=QUICK, timeout=0.3) as client:
            assert await grade(client) == GRADE
        assert len(script.seen) == 2

    async def test_other_evaluation_is_waited_for(self, script: Script, url: str) -> None:
        """After a 409 it is asked for again as long as an evaluation may take."""
        busy = failure(409, "is being evaluated")
        script.answer(never_answers, *[busy] * 5, GRADE)
        none = RetryPolicy(total_time=0.1, first_wait=0.05, max_wait=0.05)
        async with BenchmarkServiceClient(url, retry=none, timeout=1) as client:
            assert await grade(client) == GRADE
        assert len(script.seen) == 7

    async def test_scoring_may_be_asked_for_again(self, script: Script, url: str) -> None:
        """A score costs nothing: it is asked for as often as the policy says."""
        script.answer(never_answers)
        three = RetryPolicy(3, first_wait=0.001)
        await fails(
            url,
            ServiceUnavailableError,
            lambda client: client.final_score({}),
            timeout=0.05,
            retry=three,
        )
        assert len(script.seen) == 3
