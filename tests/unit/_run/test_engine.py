from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmark_runner._progress.events import (
    EvaluationFinished,
    EvaluationStarted,
    Event,
    GenerationFinished,
    GenerationStarted,
)
from benchmark_runner.schemas import (
    EvalStatus,
    GenerationStatus,
)
from tests.fakes import EngineRun, FakeRunner, answer, grade

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


@pytest.fixture
def run(tmp_path: Path) -> EngineRun:
    return EngineRun(tmp_path)


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
