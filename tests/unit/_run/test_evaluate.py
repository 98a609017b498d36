"""The evaluation of one generation."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from benchmark_runner._progress.events import (
    EvaluationStopped,
)
from benchmark_runner._progress.tally import Tally
from benchmark_runner._run.graded_by import GradedBy
from benchmark_runner.artifacts.run_folder import EVAL_TRACEBACK_LOG
from benchmark_runner.errors import (
    AuthenticationError,
    NotFoundError,
    PermissionDeniedError,
    QuotaExceededError,
    ServiceError,
    ServiceUnavailableError,
    describe,
)
from benchmark_runner.schemas import (
    EvalResult,
    EvalStatus,
    GenerationResult,
    GenerationStatus,
    Task,
)
from tests.fakes import EngineRun, answer, grade, make_plan

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


class Panic(BaseException):
    """What a compiled library raises when it fails."""


@pytest.fixture
def run(tmp_path: Path) -> EngineRun:
    return EngineRun(tmp_path)


class TestEvaluation:
    async def test_an_eval_says_what_was_graded_and_by_whom(self, run: EngineRun) -> None:
        run.script(1)
        await run(graded_by=GradedBy("https://example.com", "v1", "7"), local=False)
        found = run.eval("t1")
        assert found.result_json() == {"score": 1.0}
        assert (found.service_url, found.evaluation_api) == ("https://example.com", "v1")
        assert (found.service_version, found.local) == ("7", False)
        _, content_hash = run.artifacts.load_generation_and_hash("t1")
        assert found.generation_hash == content_hash
        assert found.duration is not None

    async def test_with_skip_eval_nothing_is_graded(self, run: EngineRun) -> None:
        run.script(2)
        await run(skip_eval=True)
        assert run.runner.evaluated == []
        assert run.artifacts.load_eval("t1") is None

    async def test_an_exception_of_the_author_is_that_tasks_eval_error(
        self, run: EngineRun
    ) -> None:
        async def evaluate(task_id: str, generation: GenerationResult) -> EvalResult:
            if task_id == "t1":
                raise KeyError("no such field")
            return await grade(task_id, generation)

        run.script(2, evaluate=evaluate)
        await run()
        assert run.eval("t1").status is EvalStatus.ERROR
        assert run.eval("t1").error == "KeyError: 'no such field'"
        assert "raise KeyError" in run.log("t1", EVAL_TRACEBACK_LOG)
        assert run.eval("t2").status is EvalStatus.EVALUATED
        assert make_plan(run.artifacts, ["t1", "t2"]).evaluate == ["t1"]

    @pytest.mark.parametrize(
        "raised", [asyncio.CancelledError, Panic, SystemExit, KeyboardInterrupt]
    )
    async def test_what_is_no_ordinary_exception_is_that_tasks_eval_error_too(
        self, run: EngineRun, raised: type[BaseException]
    ) -> None:
        async def evaluate(task_id: str, generation: GenerationResult) -> EvalResult:
            if task_id == "t1":
                raise raised("of the judge")
            return await grade(task_id, generation)

        run.script(3, evaluate=evaluate)
        assert await run(eval_parallelism=1) is None
        failed = run.eval("t1")
        assert failed.status is EvalStatus.ERROR
        assert f"{raised.__name__}: of the judge" in (failed.error or "")
        assert "of the judge" in run.log("t1", EVAL_TRACEBACK_LOG)
        assert run.eval("t2").status is run.eval("t3").status is EvalStatus.EVALUATED
        assert make_plan(run.artifacts, ["t1", "t2", "t3"]).evaluate == ["t1"]

    async def test_an_evaluate_that_returns_something_else_is_that_tasks_eval_error(
        self, run: EngineRun
    ) -> None:
        async def evaluate(task_id: str, generation: GenerationResult) -> Any:
            return {"score": 1.0} if task_id == "t1" else await grade(task_id, generation)

        run.script(2, evaluate=evaluate)
        await run()
        assert run.eval("t1").status is EvalStatus.ERROR
        assert "dict" in (run.eval("t1").error or "")
        assert run.eval("t2").status is EvalStatus.EVALUATED

    @pytest.mark.parametrize("kind", [ServiceUnavailableError, NotFoundError])
    async def test_trouble_with_one_task_leaves_the_others_alone(
        self, run: EngineRun, kind: type[ServiceError]
    ) -> None:
        async def evaluate(task_id: str, generation: GenerationResult) -> EvalResult:
            if task_id == "t1":
                raise kind("could not grade")
            return await grade(task_id, generation)

        run.script(3, evaluate=evaluate)
        assert await run(eval_parallelism=1) is None
        assert run.eval("t1").error == f"{kind.__name__}: could not grade"
        assert run.eval("t3").status is EvalStatus.EVALUATED

    @pytest.mark.parametrize(
        "kind", [AuthenticationError, PermissionDeniedError, QuotaExceededError]
    )
    async def test_a_refusal_stops_grading_and_starts_no_new_task(
        self, run: EngineRun, kind: type[ServiceError]
    ) -> None:
        refused = kind("enough")
        stopped = asyncio.Event()

        async def generate(task: Task) -> GenerationResult:
            if task.id != "t1":
                await stopped.wait()
            return await answer(task)

        async def evaluate(task_id: str, generation: GenerationResult) -> EvalResult:
            asyncio.get_running_loop().call_soon(stopped.set)
            raise refused

        run.script(10, generate, evaluate)
        assert await run(parallelism=2, eval_parallelism=3) is refused
        # The task that was running, and the one that took the first one's place.
        assert sorted(run.runner.generated) == ["t1", "t2", "t3"]
        assert run.generation("t2").status is GenerationStatus.SUCCESS
        assert run.runner.evaluated == ["t1"]
        assert run.artifacts.load_eval("t1") is None
        plan = make_plan(run.artifacts, [task.id for task in run.tasks])
        assert (plan.evaluate, len(plan.generate)) == (["t1", "t2", "t3"], 7)
        assert EvaluationStopped("t1", describe(refused)) in run.events

    async def test_after_a_refusal_a_display_counts_no_grading_as_under_way(
        self, run: EngineRun
    ) -> None:
        all_grading = asyncio.Barrier(2)

        async def evaluate(task_id: str, generation: GenerationResult) -> EvalResult:
            await all_grading.wait()
            raise QuotaExceededError("used up")

        run.script(2, evaluate=evaluate)
        tally = Tally()
        run.listen = lambda event: tally.count(event, 0.0)
        await run(parallelism=2, eval_parallelism=2)
        assert tally.evaluating == 0
