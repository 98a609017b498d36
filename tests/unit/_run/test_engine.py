from __future__ import annotations

import pytest

from benchmark_runner._progress.events import (
    EvaluationFinished,
    EvaluationStarted,
    Event,
    GenerationFinished,
    GenerationStarted,
)
from benchmark_runner.schemas import EvalStatus, GenerationStatus
from tests.fakes import EngineRun, FakeRunner, answer, grade

pytestmark = pytest.mark.anyio


class TestEvents:
    async def test_each_step_is_one_event(self, run: EngineRun) -> None:
        """Each step of a task is one event."""
        run.script(1)
        await run()
        started, generated, grading, graded = run.events
        assert started == GenerationStarted("t1")
        assert isinstance(generated, GenerationFinished)
        assert (generated.status, generated.error) == (GenerationStatus.SUCCESS, None)
        assert grading == EvaluationStarted("t1")
        assert isinstance(graded, EvaluationFinished)
        assert (graded.status, graded.score) == (EvalStatus.EVALUATED, 1.0)

    async def test_finished_events_follow_the_disk(self, run: EngineRun) -> None:
        """An event of something finished comes after it is on disk."""
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

    async def test_failing_task_score_does_not_end_the_run(self, run: EngineRun) -> None:
        """A task_score() that fails does not end the run."""

        def task_score(result: object) -> float | None:
            raise ZeroDivisionError

        run.script(2)
        run.use(FakeRunner(generate=answer, evaluate=grade, task_score=task_score))
        await run()
        assert run.eval("t2").status is EvalStatus.EVALUATED
