from __future__ import annotations

import asyncio
import json
import os
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from benchmark_runner._concurrency import deadline
from benchmark_runner._progress.events import (
    EvaluationFinished,
    EvaluationStarted,
    EvaluationStopped,
    Event,
    GenerationFinished,
    GenerationStarted,
)
from benchmark_runner._progress.tally import Tally
from benchmark_runner._run.caps import Caps
from benchmark_runner._run.graded_by import GradedBy
from benchmark_runner._run.plan import Plan
from benchmark_runner.artifacts.run_folder import EVAL_TRACEBACK_LOG, TRACEBACK_LOG, RunArtifacts
from benchmark_runner.errors import (
    ArtifactError,
    AuthenticationError,
    NotFoundError,
    PermissionDeniedError,
    QuotaExceededError,
    RunPausedError,
    ServiceError,
    ServiceUnavailableError,
    describe,
)
from benchmark_runner.llm import LLMConfig
from benchmark_runner.schemas import (
    EvalResult,
    EvalStatus,
    GenerationResult,
    GenerationStatus,
    Task,
)
from tests.fakes import TOO_LONG, EngineRun, FakeRunner, answer, grade, make_plan, spend_on_disk

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

SOON = 0.02


class Panic(BaseException):
    """What a compiled library raises when it fails."""


@pytest.fixture
def run(tmp_path: Path) -> EngineRun:
    return EngineRun(tmp_path)


class Peak:
    """How many are inside at a time, at most; ``expected`` of them wait for each other."""

    def __init__(self, expected: int) -> None:
        self.now = self.highest = 0
        self._barrier = asyncio.Barrier(expected)

    async def __aenter__(self) -> None:
        self.now += 1
        self.highest = max(self.highest, self.now)
        await self._barrier.wait()

    async def __aexit__(self, *_: object) -> None:
        await asyncio.sleep(0)
        self.now -= 1


class TestLimits:
    async def test_parallelism_is_reached_and_never_exceeded(self, run: EngineRun) -> None:
        peak = Peak(4)

        async def generate(task: Task) -> GenerationResult:
            async with peak:
                return await answer(task)

        run.script(12, generate)
        await run(parallelism=4, eval_parallelism=1)
        assert peak.highest == 4

    async def test_eval_parallelism_is_reached_and_never_exceeded(self, run: EngineRun) -> None:
        peak = Peak(3)

        async def evaluate(task_id: str, generation: GenerationResult) -> EvalResult:
            async with peak:
                return await grade(task_id, generation)

        run.script(12, evaluate=evaluate)
        await run(parallelism=12, eval_parallelism=3)
        assert peak.highest == 3

    async def test_more_gradings_than_generations_may_run_at_a_time(self, run: EngineRun) -> None:
        peak = Peak(6)

        async def evaluate(task_id: str, generation: GenerationResult) -> EvalResult:
            async with peak:
                return await grade(task_id, generation)

        run.script(6, evaluate=evaluate)
        await run(parallelism=1, eval_parallelism=6)
        assert peak.highest == 6

    async def test_a_cap_that_only_the_last_task_reaches_stops_nothing(
        self, run: EngineRun
    ) -> None:
        async def generate(task: Task) -> GenerationResult:
            return GenerationResult(answer="dear", cost=1.0)

        run.script(3, generate)
        assert await run(parallelism=1, caps=Caps(max_cost=3.0)) is None
        run.script(4, generate)
        spend = spend_on_disk(run.artifacts, ["t1", "t2", "t3"])
        stopped_by = await run(parallelism=1, caps=Caps(max_cost=3.0, spend=spend))
        assert isinstance(stopped_by, RunPausedError)
        assert run.runner.generated == []

    async def test_slow_grading_never_blocks_generating(self, run: EngineRun) -> None:
        everything_generated = asyncio.Event()

        async def generate(task: Task) -> GenerationResult:
            if task.id == "t40":
                everything_generated.set()
            return await answer(task)

        async def evaluate(task_id: str, generation: GenerationResult) -> EvalResult:
            await everything_generated.wait()
            assert generation.answer == f"answer to q{task_id[1:]}"
            return await grade(task_id, generation)

        run.script(40, generate, evaluate)
        await run(parallelism=2, eval_parallelism=1)
        assert all(run.eval(task.id).status is EvalStatus.EVALUATED for task in run.tasks)

    async def test_slow_generating_never_blocks_grading(self, run: EngineRun) -> None:
        first_graded = asyncio.Event()

        async def generate(task: Task) -> GenerationResult:
            if task.id == "t2":
                await first_graded.wait()
            return await answer(task)

        async def evaluate(task_id: str, generation: GenerationResult) -> EvalResult:
            first_graded.set()
            return await grade(task_id, generation)

        run.script(2, generate, evaluate)
        await run(parallelism=1, eval_parallelism=1)
        assert run.runner.evaluated == ["t1", "t2"]

    async def test_grades_owed_from_before_do_not_wait_for_a_generation(
        self, run: EngineRun
    ) -> None:
        old_graded = asyncio.Event()

        async def generate(task: Task) -> GenerationResult:
            if task.id == "t2":
                await old_graded.wait()
            return await answer(task)

        async def evaluate(task_id: str, generation: GenerationResult) -> EvalResult:
            if task_id == "t1":
                old_graded.set()
            return await grade(task_id, generation)

        run.script(2, generate, evaluate)
        await run.carry_out(Plan(generate=["t1"]), skip_eval=True)
        await run.carry_out(Plan(generate=["t2"], evaluate=["t1"]), parallelism=1)
        assert sorted(run.runner.evaluated) == ["t1", "t2"]

    async def test_tasks_start_in_the_order_of_the_dataset(self, run: EngineRun) -> None:
        ids = ["b", "10", "a", "9", "c"]
        run.script([Task(id=task_id, question="?") for task_id in ids])
        await run(parallelism=1)
        assert run.runner.generated == ids

    async def test_a_plain_generate_runs_in_threads_within_the_limit(self, run: EngineRun) -> None:
        together = threading.Barrier(2)
        lock = threading.Lock()
        inside: list[int] = [0, 0]

        class PlainRunner(FakeRunner):
            def generate(self, task: Task, *_: object, **__: object) -> GenerationResult:
                with lock:
                    inside[0] += 1
                    inside[1] = max(inside)
                together.wait(TOO_LONG)
                with lock:
                    inside[0] -= 1
                return GenerationResult(answer=threading.current_thread().name)

        run.script(6)
        run.use(PlainRunner(evaluate=grade))
        await run(parallelism=2)
        assert inside[1] == 2
        names = {run.generation(task.id).answer for task in run.tasks}
        assert threading.main_thread().name not in names


class TestGeneration:
    async def test_what_the_framework_can_measure_is_filled_in(
        self, run: EngineRun, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = datetime.now(UTC)
        run.script(1)
        await run()
        written = json.loads(run.artifacts.generation_path("t1").read_bytes())
        assert written["task_id"] == "t1"
        assert written["status"] == "success"
        assert written["data"] == written["answer"] == "answer to q1"
        assert written["question"] == "q1"
        assert written["model"] == "the-model"
        assert written["log_dir"] == str(run.artifacts.agent_logs_dir("t1"))
        assert written["generation_version"] == "dev"
        assert written["attempts"] == 1
        assert written["error"] is None
        assert written["cost"] is None
        assert 0 <= written["duration"] < TOO_LONG
        found = run.generation("t1")
        assert found.started_at is not None
        assert found.ended_at is not None
        assert before <= found.started_at <= found.ended_at <= datetime.now(UTC)

    async def test_what_the_author_measured_is_kept(self, run: EngineRun) -> None:
        moment = datetime(2020, 1, 2, tzinfo=UTC)

        async def generate(task: Task) -> GenerationResult:
            return GenerationResult(
                answer="a",
                question="as asked",
                model="the-model-0101",
                total_turns=3,
                started_at=moment,
                ended_at=moment,
                duration=7.5,
                cost=0.0,
                generation_version="mine",
                metadata={"seed": 1},
            )

        run.script(1, generate)
        await run()
        found = run.generation("t1")
        assert (found.question, found.model, found.total_turns) == ("as asked", "the-model-0101", 3)
        assert (found.started_at, found.ended_at, found.duration) == (moment, moment, 7.5)
        assert (found.cost, found.generation_version) == (0.0, "mine")
        assert found.metadata == {"seed": 1}

    async def test_the_log_folder_exists_and_is_empty_when_generate_is_called(
        self, run: EngineRun
    ) -> None:
        seen: list[list[Path]] = []

        class LoggingRunner(FakeRunner):
            async def generate(
                self,
                task: Task,
                model: str,
                llm_config: LLMConfig | None = None,
                log_dir: Path | None = None,
            ) -> GenerationResult:
                assert log_dir is not None
                seen.append([*log_dir.iterdir()])  # noqa: ASYNC240 (an author's code)
                (log_dir / "trace.txt").write_text("mine")
                return GenerationResult(status=GenerationStatus.ERROR, error="not yet")

        run.script(1)
        run.use(LoggingRunner())
        await run()
        await run()
        assert seen == [[], []]
        attempts = run.artifacts.task_dir("t1") / "attempts"
        assert (attempts / "1" / "agent_logs" / "trace.txt").read_text() == "mine"

    async def test_settings_reach_generate(self, run: EngineRun) -> None:
        seen: list[object] = []

        class SeeingRunner(FakeRunner):
            async def generate(
                self,
                task: Task,
                model: str,
                llm_config: LLMConfig | None = None,
                log_dir: Path | None = None,
            ) -> GenerationResult:
                seen.extend((model, llm_config))
                return await answer(task)

        run.script(1)
        run.use(SeeingRunner(evaluate=grade))
        config = LLMConfig(temperature=0.5)
        await run(model="another", llm_config=config)
        assert seen == ["another", config]

    async def test_an_exception_is_that_tasks_error_with_its_traceback_in_the_log(
        self, run: EngineRun
    ) -> None:
        async def generate(task: Task) -> GenerationResult:
            if task.id == "t2":
                raise ValueError("no luck")
            return await answer(task)

        run.script(3, generate)
        await run()
        failed = run.generation("t2")
        assert (failed.status, failed.error) == (GenerationStatus.ERROR, "ValueError: no luck")
        assert 'raise ValueError("no luck")' in run.log("t2")
        assert run.eval("t2").status is EvalStatus.GENERATION_ERROR
        assert sorted(run.runner.evaluated) == ["t1", "t3"]
        assert run.eval("t3").status is EvalStatus.EVALUATED

    async def test_an_exception_without_a_message_is_named_by_its_type(
        self, run: EngineRun
    ) -> None:
        async def generate(task: Task) -> GenerationResult:
            raise ConnectionError

        run.script(1, generate)
        await run()
        assert run.generation("t1").error == "ConnectionError"

    async def test_a_timeout_error_of_the_author_is_an_error_and_not_max_time(
        self, run: EngineRun
    ) -> None:
        async def generate(task: Task) -> GenerationResult:
            async with asyncio.timeout(0):
                await asyncio.sleep(TOO_LONG)
            return await answer(task)

        run.script(1, generate)
        await run(timeout=TOO_LONG)
        found = run.generation("t1")
        assert found.status is GenerationStatus.ERROR
        assert found.error is not None
        assert found.error.startswith("TimeoutError")
        assert make_plan(run.artifacts, ["t1"]).generate == ["t1"]

    @pytest.mark.parametrize("raised", [asyncio.CancelledError, SystemExit])
    async def test_an_agent_that_ends_itself_ends_nothing_else(
        self, run: EngineRun, raised: type[BaseException]
    ) -> None:
        async def generate(task: Task) -> GenerationResult:
            if task.id == "t1":
                raise raised
            return await answer(task)

        run.script(2, generate)
        await run(parallelism=1)
        assert run.generation("t1").status is GenerationStatus.ERROR
        assert raised.__name__ in (run.generation("t1").error or "")
        assert run.generation("t2").status is GenerationStatus.SUCCESS

    @pytest.mark.parametrize("raised", [Panic, KeyboardInterrupt])
    async def test_what_is_no_ordinary_exception_is_that_tasks_error_too(
        self, run: EngineRun, raised: type[BaseException]
    ) -> None:
        async def generate(task: Task) -> GenerationResult:
            if task.id == "t1":
                raise raised("of the agent")
            return await answer(task)

        run.script(2, generate)
        await run(parallelism=1)
        failed = run.generation("t1")
        assert failed.status is GenerationStatus.ERROR
        assert f"{raised.__name__}: of the agent" in (failed.error or "")
        assert "of the agent" in run.log("t1")
        assert run.generation("t2").status is GenerationStatus.SUCCESS

    async def test_something_other_than_a_generation_result_is_refused_by_name(
        self, run: EngineRun
    ) -> None:
        async def generate(task: Task) -> Any:
            return "just text"

        run.script(1, generate)
        await run()
        error = run.generation("t1").error
        assert error == "TypeError: generate() returned str, not GenerationResult"

    async def test_an_answer_for_another_task_is_refused(self, run: EngineRun) -> None:
        async def generate(task: Task) -> GenerationResult:
            return GenerationResult(task_id="t2", answer="mixed up")

        run.script(1, generate)
        await run()
        assert "answered for task 't2'" in (run.generation("t1").error or "")

    async def test_an_error_that_the_author_reports_is_an_error(self, run: EngineRun) -> None:
        async def generate(task: Task) -> GenerationResult:
            return GenerationResult(status=GenerationStatus.ERROR, error="no credit left")

        run.script(1, generate)
        await run()
        assert run.generation("t1").error == "no credit left"
        assert run.eval("t1").status is EvalStatus.GENERATION_ERROR

    async def test_a_redone_generation_keeps_the_earlier_attempt_whole(
        self, run: EngineRun
    ) -> None:
        async def fail(task: Task) -> GenerationResult:
            raise ValueError("the first time")

        run.script(1, fail)
        await run()
        run.script(1)
        await run()
        earlier = run.artifacts.task_dir("t1") / "attempts" / "1"
        assert {path.name for path in earlier.iterdir()} == {
            "agent_logs",
            "eval.json",
            "generation.json",
        }
        assert "the first time" in (earlier / "agent_logs" / TRACEBACK_LOG).read_text()
        assert run.generation("t1").attempts == 2
        assert run.eval("t1").status is EvalStatus.EVALUATED
        assert [*run.artifacts.agent_logs_dir("t1").iterdir()] == []


class TestTimeLimits:
    @staticmethod
    async def _hang(task: Task) -> GenerationResult:
        await asyncio.sleep(TOO_LONG)
        return await answer(task)

    @staticmethod
    async def _dawdle(task: Task) -> GenerationResult:
        # Not done at once, so that a limit of 0 that counted would be exceeded.
        for _ in range(5):
            await asyncio.sleep(0)
        return await answer(task)

    async def test_the_frameworks_own_deadline_is_max_time_and_done(self, run: EngineRun) -> None:
        run.script(1, self._hang)
        await run(timeout=SOON)
        found = run.generation("t1")
        assert found.status is GenerationStatus.MAX_TIME
        assert found.stop_reason == "max_time"
        assert run.eval("t1").status is EvalStatus.DID_NOT_COMPLETE
        assert run.runner.evaluated == []
        assert not make_plan(run.artifacts, ["t1"])

    async def test_a_tasks_own_timeout_beats_the_setting(self, run: EngineRun) -> None:
        tasks = [
            Task(id="short", question="?", timeout=SOON),
            Task(id="unlimited", question="?", timeout=0),
        ]

        async def generate(task: Task) -> GenerationResult:
            return await (self._hang(task) if task.id == "short" else self._dawdle(task))

        run.script(tasks, generate)
        await run(timeout=TOO_LONG)
        assert run.generation("short").status is GenerationStatus.MAX_TIME
        assert run.generation("unlimited").status is GenerationStatus.SUCCESS

    @pytest.mark.parametrize("own", [0, -1])
    async def test_a_tasks_timeout_of_zero_or_less_means_none(
        self, run: EngineRun, own: int
    ) -> None:
        async def outlast_the_setting(task: Task) -> GenerationResult:
            await asyncio.sleep(3 * SOON)
            return await answer(task)

        run.script([Task(id="t1", question="?", timeout=own)], outlast_the_setting)
        await run(timeout=SOON)
        assert run.generation("t1").status is GenerationStatus.SUCCESS

    @pytest.mark.parametrize("limit", [None, 0, -5])
    async def test_no_setting_zero_or_less_means_no_limit(
        self, run: EngineRun, limit: float | None
    ) -> None:
        run.script(1, self._dawdle)
        await run(timeout=limit)
        assert run.generation("t1").status is GenerationStatus.SUCCESS

    async def test_a_generation_that_swallows_cancellation_does_not_hang_the_run(
        self, run: EngineRun, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(deadline, "CANCEL_GRACE", SOON)
        release = asyncio.Event()

        async def cling(task: Task) -> GenerationResult:
            while not release.is_set():
                try:
                    await release.wait()
                except asyncio.CancelledError:
                    continue
            return await answer(task)

        run.script(1, cling)
        # Were it waited for, it would be until then.
        asyncio.get_running_loop().call_later(2, release.set)
        await run(timeout=SOON)
        assert not release.is_set()
        release.set()
        await asyncio.sleep(0)
        assert run.generation("t1").status is GenerationStatus.MAX_TIME

    async def test_out_of_turns_did_not_complete_and_is_not_sent_to_the_grader(
        self, run: EngineRun
    ) -> None:
        async def generate(task: Task) -> GenerationResult:
            return GenerationResult(status=GenerationStatus.MAX_TURNS, answer="half")

        run.script(1, generate)
        await run()
        assert run.eval("t1").status is EvalStatus.DID_NOT_COMPLETE
        assert run.runner.evaluated == []
        assert not make_plan(run.artifacts, ["t1"])

    async def test_what_did_not_succeed_never_reaches_an_authors_evaluate(
        self, run: EngineRun
    ) -> None:
        class Grading(FakeRunner):
            async def evaluate(self, task_id: str, generation: GenerationResult) -> EvalResult:
                self.evaluated.append(task_id)
                return await grade(task_id, generation)

        async def generate(task: Task) -> GenerationResult:
            match task.id:
                case "t1":
                    await asyncio.sleep(TOO_LONG)
                case "t2":
                    return GenerationResult(status=GenerationStatus.MAX_TURNS, answer="half")
                case "t3":
                    raise ValueError("no luck")
                case "t4":
                    return GenerationResult(status=GenerationStatus.ERROR, error="no credit")
            return await answer(task)

        run.script(5, generate)
        run.use(Grading(generate=generate))
        await run(timeout=SOON)
        # What is on disk from before is treated the same.
        await run.carry_out(Plan(evaluate=["t1", "t2", "t3", "t4"]))
        assert run.runner.evaluated == ["t5"]
        found = [run.eval(task.id).status for task in run.tasks]
        assert found == [EvalStatus.DID_NOT_COMPLETE] * 2 + [EvalStatus.GENERATION_ERROR] * 2 + [
            EvalStatus.EVALUATED
        ]
        assert run.eval("t3").error == "ValueError: no luck"

    async def test_threads_that_agents_leave_behind_delay_no_write_and_no_other_task(
        self, run: EngineRun
    ) -> None:
        release = threading.Event()
        stuck = 2 * (os.cpu_count() or 1) + 40  # more than the loop's own pool has threads

        async def generate(task: Task) -> GenerationResult:
            if task.id != "free":
                await asyncio.to_thread(release.wait, 3 * TOO_LONG)
            return await answer(task)

        async def evaluate(task_id: str, generation: GenerationResult) -> EvalResult:
            assert not release.is_set()
            return await grade(task_id, generation)

        tasks = [Task(id=f"s{n}", question="?", timeout=SOON) for n in range(stuck)]
        run.script([*tasks, Task(id="free", question="?")], generate, evaluate)
        try:
            await run(parallelism=stuck)
            assert not release.is_set()
        finally:
            release.set()
        assert {run.generation(task.id).status for task in tasks} == {GenerationStatus.MAX_TIME}
        assert run.eval("free").status is EvalStatus.EVALUATED
        assert not make_plan(run.artifacts, [task.id for task in run.tasks])

    async def test_a_grading_that_never_ends_is_that_tasks_error(self, run: EngineRun) -> None:
        async def evaluate(task_id: str, generation: GenerationResult) -> EvalResult:
            if task_id == "t1":
                await asyncio.sleep(TOO_LONG)
            return await grade(task_id, generation)

        run.script(2, evaluate=evaluate)
        await run(eval_deadline=SOON)
        assert run.eval("t1").status is EvalStatus.ERROR
        assert "not graded within 0.02 s" in (run.eval("t1").error or "")
        assert run.eval("t2").status is EvalStatus.EVALUATED


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


class TestEvents:
    async def test_every_step_is_told_once(self, run: EngineRun) -> None:
        run.script(1)
        await run()
        started, generated, grading, graded = run.events
        assert started == GenerationStarted("t1")
        assert isinstance(generated, GenerationFinished)
        assert (generated.status, generated.error) == (GenerationStatus.SUCCESS, None)
        assert grading == EvaluationStarted("t1")
        assert isinstance(graded, EvaluationFinished)
        assert (graded.status, graded.score) == (EvalStatus.EVALUATED, 1.0)

    async def test_what_is_told_as_finished_is_on_disk(self, run: EngineRun) -> None:
        missing: list[Event] = []

        def listen(event: Event) -> None:
            if isinstance(event, GenerationFinished):
                found: object = run.artifacts.load_generation(event.task_id)
            elif isinstance(event, EvaluationFinished):
                found = run.artifacts.load_eval(event.task_id)
            else:
                return
            run.events.append(event)
            if found is None:
                missing.append(event)

        run.script(3)
        run.listen = listen
        await run()
        assert len(run.events) == 6
        assert missing == []

    async def test_a_task_score_that_fails_does_not_end_the_run(self, run: EngineRun) -> None:
        def task_score(result: object) -> float | None:
            raise ZeroDivisionError

        run.script(2)
        run.use(FakeRunner(generate=answer, evaluate=grade, task_score=task_score))
        await run()
        assert run.eval("t2").status is EvalStatus.EVALUATED


class TestEnding:
    @pytest.mark.parametrize("phase", ["generate", "evaluate"])
    async def test_a_generator_exit_of_the_author_does_not_end_the_run(
        self, run: EngineRun, phase: str
    ) -> None:
        async def generate(task: Task) -> GenerationResult:
            if phase == "generate":
                raise GeneratorExit
            return await answer(task)

        async def evaluate(task_id: str, generation: GenerationResult) -> EvalResult:
            raise GeneratorExit

        run.script(1, generate, evaluate)
        try:
            await run()
        except GeneratorExit:  # It would end the test session, too.
            pytest.fail("the run was ended")
        assert run.eval("t1").status in {EvalStatus.GENERATION_ERROR, EvalStatus.ERROR}

    async def test_cancelling_the_run_keeps_what_is_finished(self, run: EngineRun) -> None:
        waiting, graded, kept = asyncio.Event(), asyncio.Event(), asyncio.Event()
        both = asyncio.Barrier(2)
        cleaned: list[str] = []

        def listen(event: Event) -> None:
            if isinstance(event, EvaluationFinished):
                kept.set()

        async def generate(task: Task) -> GenerationResult:
            if task.id == "t1":
                return await answer(task)
            await graded.wait()
            try:
                await both.wait()
                waiting.set()
                await asyncio.sleep(TOO_LONG)
            finally:
                cleaned.append(task.id)
            return await answer(task)

        async def evaluate(task_id: str, generation: GenerationResult) -> EvalResult:
            graded.set()
            return await grade(task_id, generation)

        run.script(3, generate, evaluate)
        run.listen = listen
        running = asyncio.create_task(run(parallelism=2))
        await waiting.wait()
        await kept.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert sorted(cleaned) == ["t2", "t3"]
        assert run.artifacts.load_generation("t2") is None
        plan = make_plan(run.artifacts, ["t1", "t2", "t3"])
        assert (plan.done, plan.generate) == (1, ["t2", "t3"])

    async def test_a_result_is_kept_when_the_run_is_cancelled_while_it_is_being_saved(
        self, run: EngineRun, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        saving, go_on = threading.Event(), threading.Event()
        save = RunArtifacts.save_generation

        def save_slowly(artifacts: RunArtifacts, task_id: str, generation: GenerationResult) -> str:
            saving.set()
            assert go_on.wait(TOO_LONG)
            return save(artifacts, task_id, generation)

        monkeypatch.setattr(RunArtifacts, "save_generation", save_slowly)
        run.script(1)
        running = asyncio.create_task(run())
        assert await asyncio.to_thread(saving.wait, TOO_LONG)
        running.cancel()
        asyncio.get_running_loop().call_later(SOON, go_on.set)
        with pytest.raises(asyncio.CancelledError):
            await running
        assert run.generation("t1").answer == "answer to q1"
        assert run.runner.evaluated == []
        assert make_plan(run.artifacts, ["t1"]).evaluate == ["t1"]

    async def test_a_grade_is_kept_when_the_run_is_cancelled_while_it_is_being_saved(
        self, run: EngineRun, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        saving, go_on = threading.Event(), threading.Event()
        save = RunArtifacts.save_eval

        def save_slowly(artifacts: RunArtifacts, task_id: str, result: EvalResult) -> str:
            saving.set()
            assert go_on.wait(TOO_LONG)
            return save(artifacts, task_id, result)

        monkeypatch.setattr(RunArtifacts, "save_eval", save_slowly)
        run.script(1)
        running = asyncio.create_task(run())
        assert await asyncio.to_thread(saving.wait, TOO_LONG)
        running.cancel()
        asyncio.get_running_loop().call_later(SOON, go_on.set)
        with pytest.raises(asyncio.CancelledError):
            await running
        assert run.eval("t1").status is EvalStatus.EVALUATED

    async def test_a_result_that_comes_after_the_cancellation_is_kept(self, run: EngineRun) -> None:
        waiting = asyncio.Event()

        async def generate(task: Task) -> GenerationResult:
            try:
                waiting.set()
                await asyncio.sleep(TOO_LONG)
            except asyncio.CancelledError:
                await asyncio.sleep(SOON)
                return GenerationResult(answer="as far as I got")
            return await answer(task)

        run.script(2, generate)
        running = asyncio.create_task(run(parallelism=1))
        await waiting.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert run.generation("t1").answer == "as far as I got"
        assert run.runner.generated == ["t1"]
        plan = make_plan(run.artifacts, ["t1", "t2"])
        assert (plan.evaluate, plan.generate) == (["t1"], ["t2"])

    async def test_what_else_comes_after_the_cancellation_is_no_result(
        self, run: EngineRun
    ) -> None:
        waiting = asyncio.Event()

        async def generate(task: Task) -> Any:
            try:
                waiting.set()
                await asyncio.sleep(TOO_LONG)
            except asyncio.CancelledError:
                return None

        run.script(1, generate)
        running = asyncio.create_task(run())
        await waiting.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert make_plan(run.artifacts, ["t1"]).generate == ["t1"]

    async def test_a_disk_that_refuses_ends_the_run_with_one_error(
        self, run: EngineRun, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("benchmark_runner._run.disk_retry.DISK_PATIENCE", 2 * SOON)
        run.script(3)
        run.artifacts.run_dir.mkdir(parents=True)
        (run.artifacts.run_dir / "t2").write_text("not a folder")
        with pytest.raises(ArtifactError) as caught:
            await run(parallelism=1)
        assert "t2" in caught.value.message
        assert run.generation("t1").status is GenerationStatus.SUCCESS
