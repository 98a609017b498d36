"""The generation of one task."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from benchmark_runner.artifacts.run_folder import TRACEBACK_LOG
from benchmark_runner.llm import LLMConfig
from benchmark_runner.schemas import EvalStatus, GenerationResult, GenerationStatus, Task
from tests.fakes import TOO_LONG, EngineRun, FakeRunner, answer, first, grade, make_plan

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


class Panic(BaseException):
    """What a compiled library raises when it fails."""


class TestGeneration:
    async def test_missing_fields_are_filled_in(
        self, run: EngineRun, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Fields that the framework can measure are filled in."""
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

    async def test_fields_of_the_author_are_kept(self, run: EngineRun) -> None:
        """Fields that the author has set are kept."""
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
                imported=True,
                metadata={"seed": 1},
            )

        run.script(1, generate)
        await run()
        found = run.generation("t1")
        assert (found.question, found.model, found.total_turns) == ("as asked", "the-model-0101", 3)
        assert (found.started_at, found.ended_at, found.duration) == (moment, moment, 7.5)
        assert (found.cost, found.generation_version) == (0.0, "mine")
        assert found.imported is False  # it was made here
        assert found.metadata == {"seed": 1}

    async def test_log_folder_is_there_and_empty(self, run: EngineRun) -> None:
        """generate() gets an existing, empty log folder; the earlier one is kept."""
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
        """The model and the LLM settings reach generate()."""
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

    async def test_exception_is_the_tasks_error(self, run: EngineRun) -> None:
        """An exception is that task's error, with its traceback in the log."""

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

    async def test_exception_without_a_message(self, run: EngineRun) -> None:
        """An exception without a message is named by its type."""

        async def generate(task: Task) -> GenerationResult:
            raise ConnectionError

        run.script(1, generate)
        await run()
        assert run.generation("t1").error == "ConnectionError"

    async def test_authors_timeout_error_is_an_error(self, run: EngineRun) -> None:
        """A TimeoutError of the author is an error and not max_time."""

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
        assert make_plan(run.artifacts, ["t1"]).generate == first("t1")

    @pytest.mark.parametrize("raised", [asyncio.CancelledError, SystemExit])
    async def test_agent_that_exits_ends_nothing_else(
        self, run: EngineRun, raised: type[BaseException]
    ) -> None:
        """An agent that cancels itself or exits ends only its own task."""

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
    async def test_base_exception_is_the_tasks_error(
        self, run: EngineRun, raised: type[BaseException]
    ) -> None:
        """An exception that is no Exception is that task's error, too."""

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

    async def test_other_return_type_is_an_error(self, run: EngineRun) -> None:
        """A return value that is no GenerationResult is an error that names its type."""

        async def generate(task: Task) -> Any:
            return "just text"

        run.script(1, generate)
        await run()
        error = run.generation("t1").error
        assert error == "TypeError: generate() returned str, not GenerationResult"

    async def test_answer_for_another_task_is_refused(self, run: EngineRun) -> None:
        """A result that names another task is an error."""

        async def generate(task: Task) -> GenerationResult:
            return GenerationResult(task_id="t2", answer="mixed up")

        run.script(1, generate)
        await run()
        assert "answered for task 't2'" in (run.generation("t1").error or "")

    async def test_reported_error_is_an_error(self, run: EngineRun) -> None:
        """An error that the author returns is the task's error."""

        async def generate(task: Task) -> GenerationResult:
            return GenerationResult(status=GenerationStatus.ERROR, error="no credit left")

        run.script(1, generate)
        await run()
        assert run.generation("t1").error == "no credit left"
        assert run.eval("t1").status is EvalStatus.GENERATION_ERROR

    async def test_earlier_attempt_is_kept(self, run: EngineRun) -> None:
        """A generation that is redone keeps the earlier attempt complete."""

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
