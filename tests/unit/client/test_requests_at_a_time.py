"""The number of requests that are under way at a time."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest
from starlette.responses import JSONResponse

from benchmark_runner.client.retry import RetryPolicy
from benchmark_runner.client.service_client import BenchmarkServiceClient
from tests.unit.client.scripted_server import (
    GRADE,
    QUICK,
    Script,
    answers_after,
    failure,
    grade,
)

if TYPE_CHECKING:
    from starlette.types import Receive, Send

    from tests.unit.client.scripted_server import Answer

pytestmark = pytest.mark.anyio


class TestWaiting:
    async def test_waiting_for_a_connection_is_not_counted(self, script: Script, url: str) -> None:
        """Waiting for a free connection does not count against the timeout."""
        script.answer(answers_after(0.1))
        once = RetryPolicy(attempts=1)
        settings = {"retry": once, "timeout": 0.5, "max_connections": 2}
        async with BenchmarkServiceClient(url, **settings) as client:
            grades = await asyncio.gather(*(grade(client) for _ in range(14)))
        assert grades == [GRADE] * 14
        assert script.most_at_once == 2

    async def test_a_waiting_retry_holds_no_connection(self, script: Script, url: str) -> None:
        """A request that waits for its retry holds no connection."""
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

    async def test_refused_burst_halves_the_limit_once(self, script: Script, url: str) -> None:
        """A refused burst halves the number of requests once; successes restore it."""
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

    async def test_retry_after_does_not_lower_the_limit(self, script: Script, url: str) -> None:
        """A 429 with Retry-After does not lower the number of requests."""
        refused = self.refuse(4, retry_after="0")
        script.answer(*[refused] * 4, self.accept(4))
        async with (
            asyncio.timeout(10),
            BenchmarkServiceClient(url, retry=QUICK, max_connections=4) as client,
        ):
            await asyncio.gather(*(grade(client) for _ in range(4)))
        assert len(script.seen) == 8
