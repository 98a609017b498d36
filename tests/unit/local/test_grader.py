from __future__ import annotations

import asyncio
import functools
import json
import operator
import threading
from typing import TYPE_CHECKING, Never

import pytest

from benchmark_runner.client.service_client import BenchmarkServiceClient
from benchmark_runner.errors import GraderError, ServiceUnavailableError
from benchmark_runner.local import local_client
from benchmark_runner.schemas import EvalStatus
from tests.unit.local.sample_service import CANARY, ONCE, Wire, make, source_line, v1_request

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from starlette.types import ASGIApp

    Row = dict[str, object]
    ServeApp = Callable[[ASGIApp], str]

pytestmark = pytest.mark.anyio


def circular_error() -> ValueError:
    error, cause = ValueError("x"), ValueError("y")
    error.__cause__, cause.__cause__ = cause, error
    return error


class TestGrading:
    async def test_grader_error_is_reported(self, wire: Wire) -> None:
        """A grader that raises is an error of that evaluation, with its line."""
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

    async def test_library_error_has_the_graders_line(self, folder: Path) -> None:
        """An error in a library is reported with the grader's own line."""

        def grader(task: Row, response: str) -> object:
            return json.loads(response)

        for written in (grader, functools.partial(grader)):
            async with local_client(make(folder, written)) as client:
                answer = await client.evaluate(v1_request(data="{"))
            line = source_line("return json.loads(response)", __file__)
            assert answer.errors[0].startswith("JSONDecodeError: ")
            assert answer.errors[0].endswith(f" (test_grader.py, line {line})")

    async def test_error_without_a_file_has_no_line(self, folder: Path) -> None:
        """An error of a grader without a file is reported without a line."""
        async with local_client(make(folder, operator.getitem)) as client:
            answer = await client.evaluate(v1_request(data="nokey"))
        assert answer.errors == ["KeyError: 'nokey'"]

    @pytest.mark.parametrize("fault", [KeyboardInterrupt, SystemExit, BaseException])
    async def test_no_exception_ends_the_server(
        self, serve_app: ServeApp, folder: Path, fault: type[BaseException]
    ) -> None:
        """Nothing that a grader raises ends the server."""

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
        "fault",
        [
            StopIteration("x"),
            SystemExit(3),
            asyncio.CancelledError(),
            TimeoutError(),
            circular_error(),
        ],
    )
    async def test_no_exception_of_a_grader_escapes(
        self, folder: Path, fault: BaseException
    ) -> None:
        """Every exception of a grader becomes an error of the evaluation."""

        def grader(task: Row, response: str) -> Never:
            raise fault

        async with local_client(make(folder, grader), timeout=10) as client:
            answer = await client.evaluate(v1_request())
        assert answer.status is EvalStatus.ERROR
        assert type(fault).__name__ in answer.errors[0]

    @pytest.mark.parametrize(
        "result",
        [{1, 2}, object(), float("nan"), {"score": 1.0, "a": [float("inf")]}, {1: 2}, "\ud800"],
    )
    async def test_result_that_is_no_json_is_an_error(self, folder: Path, result: object) -> None:
        """A result that is no JSON is an error of the evaluation."""
        async with local_client(make(folder, lambda task, response: result)) as client:
            answer = await client.evaluate(v1_request())
        assert answer.status is EvalStatus.ERROR
        assert answer.errors[0].startswith("TypeError: the grader returned")

    @pytest.mark.parametrize(
        ("result", "named"),
        [
            (None, "None"),
            ("1.0", "str '1.0'"),
            ([1.0], "list [1.0]"),
            ({}, "{}"),
            ({"score": "1.0"}, "{'score': str}"),
            ({"score": None}, "{'score': NoneType}"),
            ({"correct": True, "reason": f"not {CANARY}"}, "{'correct': bool, 'reason': str}"),
            ({f"wrong {number}": 1 for number in range(99)}, "{'wrong 0': int, "),
            ("x" * 1000, "str"),
            (10**400, "int"),
        ],
    )
    async def test_result_without_a_score_is_an_error(
        self, folder: Path, result: object, named: str
    ) -> None:
        """A result without a number is an error that names it, on both paths, and no 0."""
        async with local_client(make(folder, lambda task, response: result)) as client:
            v1 = await client.evaluate(v1_request())
            with pytest.raises(GraderError) as caught:
                await client.evaluate_response(task_id="d1", response="")
        said = f"TypeError: the grader returned {named}"
        assert (v1.status, v1.result) == (EvalStatus.ERROR, None)
        assert v1.errors[0].startswith(said)
        assert (caught.value.detail or "").startswith(said)
        assert CANARY not in v1.errors[0]
        assert len(v1.errors[0]) < 300

    async def test_task_score_changes_no_result(self, folder: Path) -> None:
        """A task_score() that changes the result changes only its copy."""
        make_score = make(folder, lambda *_: {"points": 3}, task_score=lambda r: r.pop("points"))
        async with local_client(make_score) as client:
            assert (await client.evaluate(v1_request())).result == {"points": 3}

    async def test_own_score_method_reads_any_result(self, folder: Path) -> None:
        """A result needs no number if the runner scores by itself."""
        service = make(folder, lambda task, response: "B", scores_elsewhere=True)
        async with local_client(service) as client:
            assert (await client.evaluate(v1_request())).result == "B"

    async def test_slow_grader_does_not_block(self, folder: Path) -> None:
        """A slow plain grader does not block the service."""
        release = threading.Event()

        def grader(task: Row, response: str) -> bool:
            return release.wait(10)

        async with local_client(make(folder, grader)) as client:
            grading = asyncio.create_task(client.evaluate(v1_request()))
            await client.health()
            assert not grading.done()
            release.set()
            assert (await grading).result is True

    async def test_hanging_grader_times_out(self, folder: Path) -> None:
        """A grader that hangs ends at the timeout."""
        release = threading.Event()
        async with local_client(make(folder, lambda *_: release.wait(10)), timeout=0.1) as client:
            with pytest.raises(ServiceUnavailableError) as caught:
                await client.evaluate(v1_request())
        release.set()
        assert "no answer within 0.1 s" in caught.value.message

    async def test_coroutine_grader_runs_on_the_loop(self, folder: Path) -> None:
        """A coroutine grader is awaited on the event loop."""
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

    async def test_grader_gets_a_copy_of_the_task(self, folder: Path) -> None:
        """A grader that changes the task changes only its copy."""

        def grader(task: Row, response: str) -> dict[str, object]:
            return {"score": 1, "popped": task.pop("answer")}

        async with local_client(make(folder, grader)) as client:
            first = await client.evaluate(v1_request())
            assert await client.evaluate(v1_request()) == first
        assert first.result == {"score": 1, "popped": f"{CANARY}-1"}

    async def test_repeated_evaluation_in_progress_is_a_409(self, folder: Path) -> None:
        """The same task of a run is evaluated once at a time; another is a 409."""
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
