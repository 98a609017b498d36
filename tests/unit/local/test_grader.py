from __future__ import annotations

import asyncio
import functools
import json
import operator
import threading
from typing import TYPE_CHECKING, Never

import pytest

from benchmark_runner.client.service_client import BenchmarkServiceClient
from benchmark_runner.errors import (
    ServiceUnavailableError,
)
from benchmark_runner.local import local_client
from benchmark_runner.schemas import EvalStatus

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from starlette.types import ASGIApp

    Row = dict[str, object]
    ServeApp = Callable[[ASGIApp], str]
from tests.unit.local.sample_service import (
    CANARY,
    ONCE,
    Wire,
    make,
    source_line,
    v1_request,
)

pytestmark = pytest.mark.anyio


class TestGrading:
    async def test_a_grader_that_raises_is_an_error_of_that_grade(self, wire: Wire) -> None:
        async with BenchmarkServiceClient(wire.url, retry=ONCE) as client:
            v1 = await client.evaluate(v1_request(data="raise"))
            with pytest.raises(ServiceUnavailableError) as caught:
                await client.evaluate_response(task_id="d1", response="raise")
        line = source_line("raise ValueError(NO_SUCH_ANSWER)")
        said = f"ValueError: no such answer (sample_service.py, line {line})"
        assert (v1.status, v1.errors) == (EvalStatus.ERROR, [said])
        assert (v1.run_id, v1.task_id, v1.result) == ("r1", "1", None)
        assert caught.value.status_code == 500
        assert caught.value.detail == said

    async def test_a_fault_in_a_library_is_told_by_the_graders_own_line(self, folder: Path) -> None:
        def grader(task: Row, response: str) -> object:
            return json.loads(response)

        for written in (grader, functools.partial(grader)):
            async with local_client(make(folder, written)) as client:
                answer = await client.evaluate(v1_request(data="{"))
            line = source_line("return json.loads(response)", __file__)
            assert answer.errors[0].startswith("JSONDecodeError: ")
            assert answer.errors[0].endswith(f" (test_grader.py, line {line})")

    async def test_a_fault_of_a_grader_without_a_file_is_told_without_a_line(
        self, folder: Path
    ) -> None:
        async with local_client(make(folder, operator.getitem)) as client:
            answer = await client.evaluate(v1_request(data="nokey"))
        assert answer.errors == ["KeyError: 'nokey'"]

    @pytest.mark.parametrize("fault", [KeyboardInterrupt, SystemExit, BaseException])
    async def test_nothing_that_a_grader_raises_ends_the_server(
        self, serve_app: ServeApp, folder: Path, fault: type[BaseException]
    ) -> None:
        def plain(task: Row, response: str) -> Never:
            raise fault("x")

        async def on_the_loop(task: Row, response: str) -> Never:
            raise fault("x")

        for grader in (plain, on_the_loop):
            wire = Wire(serve_app(make(folder, grader)))
            async with BenchmarkServiceClient(wire.url, retry=ONCE) as client:
                v1 = await client.evaluate(v1_request())
                with pytest.raises(ServiceUnavailableError) as caught:
                    await client.evaluate_response(task_id="d1", response="")
                await client.health()
            assert fault.__name__ in v1.errors[0]
            assert fault.__name__ in (caught.value.detail or "")
            async with local_client(make(folder, grader)) as client:
                assert fault.__name__ in (await client.evaluate(v1_request())).errors[0]

    @pytest.mark.parametrize(
        "fault", [StopIteration("x"), SystemExit(3), asyncio.CancelledError(), TimeoutError()]
    )
    async def test_no_exception_of_a_grader_escapes(
        self, folder: Path, fault: BaseException
    ) -> None:
        def grader(task: Row, response: str) -> Never:
            raise fault

        async with local_client(make(folder, grader), timeout=10) as client:
            answer = await client.evaluate(v1_request())
        assert answer.status is EvalStatus.ERROR
        assert type(fault).__name__ in answer.errors[0]

    @pytest.mark.parametrize(
        "result", [{1, 2}, object(), float("nan"), {"a": [float("inf")]}, {1: 2}, "\ud800"]
    )
    async def test_a_result_that_is_no_json_is_an_error(self, folder: Path, result: object) -> None:
        async with local_client(make(folder, lambda task, response: result)) as client:
            answer = await client.evaluate(v1_request())
        assert answer.status is EvalStatus.ERROR
        assert answer.errors[0].startswith("TypeError: the grader returned")

    async def test_a_slow_plain_grader_does_not_block_the_service(self, folder: Path) -> None:
        release = threading.Event()

        def grader(task: Row, response: str) -> bool:
            return release.wait(10)

        async with local_client(make(folder, grader)) as client:
            grading = asyncio.create_task(client.evaluate(v1_request()))
            await client.health()
            assert not grading.done()
            release.set()
            assert (await grading).result is True

    async def test_a_grader_that_hangs_ends_at_the_time_out(self, folder: Path) -> None:
        release = threading.Event()
        async with local_client(make(folder, lambda *_: release.wait(10)), timeout=0.1) as client:
            with pytest.raises(ServiceUnavailableError) as caught:
                await client.evaluate(v1_request())
        release.set()
        assert "no answer within 0.1 s" in caught.value.message

    async def test_a_coroutine_grader_is_awaited_on_the_loop(self, folder: Path) -> None:
        loop = asyncio.get_running_loop()

        async def grader(task: Row, response: str) -> bool:
            await asyncio.sleep(0)
            return asyncio.get_running_loop() is loop

        class WithState:
            __call__ = staticmethod(grader)

        for written in (
            grader,
            functools.partial(grader),
            lambda task, response: grader(task, response),  # noqa: PLW0108 (a plain function)
            WithState(),
        ):
            async with local_client(make(folder, written)) as client:
                assert (await client.evaluate(v1_request())).result is True

    async def test_a_grader_that_changes_the_task_changes_only_its_copy(self, folder: Path) -> None:
        def grader(task: Row, response: str) -> dict[str, object]:
            return {"popped": task.pop("answer")}

        async with local_client(make(folder, grader)) as client:
            first = await client.evaluate(v1_request())
            assert await client.evaluate(v1_request()) == first
        assert first.result == {"popped": f"{CANARY}-1"}

    async def test_the_same_task_of_a_run_is_graded_once_at_a_time(self, folder: Path) -> None:
        started, release = asyncio.Event(), asyncio.Event()

        async def grader(task: Row, response: str) -> int:
            started.set()
            await release.wait()
            return 1

        async with local_client(make(folder, grader)) as client:
            first = asyncio.create_task(client.evaluate(v1_request()))
            await started.wait()
            with pytest.raises(ServiceUnavailableError) as caught:
                await client.evaluate(v1_request())
            other = asyncio.create_task(client.evaluate(v1_request(run_id="r2")))
            release.set()
            assert (await first).result == (await other).result == 1
        assert caught.value.status_code == 409
