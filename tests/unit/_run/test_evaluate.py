"""The evaluation of one generation."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from benchmark_runner._progress.events import EvaluationStopped
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
from tests.fakes import EngineRun, answer, first, grade, make_plan

pytestmark = pytest.mark.anyio


class Panic(BaseException):
    """What a compiled library raises when it fails."""


class TestEvaluation:
    async def test_evaluation_records_grader_and_generation(self, run: EngineRun) -> None:
        """An evaluation records the grader and the hash of its generation."""
        run.script(1)
        await run(graded_by=GradedBy("https://example.com", "v1", "7"), local=False)
        found = run.eval("t1")
        assert found.result_json() == {"score": 1.0}
        assert (found.service_url, found.evaluation_api) == ("https://example.com", "v1")
        assert (found.service_version, found.local) == ("7", False)
        _, content_hash = run.artifacts.load_generation_and_hash("t1")
        assert found.generation_hash == content_hash
        assert found.duration is not None

    async def test_skip_eval_evaluates_nothing(self, run: EngineRun) -> None:
        """With skip_eval nothing is evaluated."""
        run.script(2)
        await run(skip_eval=True)
        assert run.runner.evaluated == []
        assert run.artifacts.load_eval("t1") is None

    async def test_exception_is_the_tasks_evaluation_error(self, run: EngineRun) -> None:
        """An exception of evaluate() is that task's error, and it stays to be done."""

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
        assert make_plan(run.artifacts, ["t1", "t2"]).evaluate == first("t1")

    @pytest.mark.parametrize(
        "raised", [asyncio.CancelledError, Panic, SystemExit, KeyboardInterrupt]
    )
    async def test_base_exception_is_an_evaluation_error(
        self, run: EngineRun, raised: type[BaseException]
    ) -> None:
        """An exception that is no Exception is that task's evaluation error, too."""

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
        assert make_plan(run.artifacts, ["t1", "t2", "t3"]).evaluate == first("t1")

    async def test_evaluate_must_return_an_eval_result(self, run: EngineRun) -> None:
        """An evaluate() that returns something else is that task's error."""

        async def evaluate(task_id: str, generation: GenerationResult) -> Any:
            return {"score": 1.0} if task_id == "t1" else await grade(task_id, generation)

        run.script(2, evaluate=evaluate)
        await run()
        assert run.eval("t1").status is EvalStatus.ERROR
        assert "dict" in (run.eval("t1").error or "")
        assert run.eval("t2").status is EvalStatus.EVALUATED

    @pytest.mark.parametrize("kind", [ServiceUnavailableError, NotFoundError])
    async def test_service_error_of_one_task_is_its_own(
        self, run: EngineRun, kind: type[ServiceError]
    ) -> None:
        """A service error of one task leaves the others alone."""

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
    async def test_refusal_stops_all_evaluations(
        self, run: EngineRun, kind: type[ServiceError]
    ) -> None:
        """A refused key or quota stops evaluations and starts no new task."""
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
        assert (plan.evaluate, len(plan.generate)) == (first("t1", "t2", "t3"), 7)
        assert EvaluationStopped("t1", describe(refused)) in run.events

    async def test_refused_evaluations_are_not_running(self, run: EngineRun) -> None:
        """After a refusal no evaluation is counted as running."""
        all_grading = asyncio.Barrier(2)

        async def evaluate(task_id: str, generation: GenerationResult) -> EvalResult:
            await all_grading.wait()
            raise QuotaExceededError("used up")

        run.script(2, evaluate=evaluate)
        tally = Tally()
        run.listen = lambda event: tally.count(event, 0.0)
        await run(parallelism=2, eval_parallelism=2)
        assert tally.evaluating == 0
