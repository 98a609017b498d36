"""What is learned of a run in the one reading that finds out what is left to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmark_runner._run.plan import make_plan
from benchmark_runner._run.scan import Survey
from benchmark_runner._run.summary import summarise
from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.schemas import EvalResult, EvalStatus, GenerationResult
from tests.unit.hashes import hash_of_evals
from tests.unit.results.reading_runner import Runner

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import JsonValue

TASKS = ["t1", "t2", "t3"]


@pytest.fixture
def artifacts(tmp_path: Path) -> RunArtifacts:
    """A run of which each task is done."""
    made = RunArtifacts(tmp_path / "results", "run-1")
    for value, task_id in enumerate(TASKS):
        content_hash = made.save_generation(task_id, GenerationResult(cost=0.5))
        result = EvalResult(
            task_id=task_id,
            status=EvalStatus.EVALUATED,
            result=value,
            generation_hash=content_hash,
        )
        made.save_eval(task_id, result)
    return made


def survey_of(artifacts: RunArtifacts, runner: Runner | None = None) -> Survey:
    survey = Survey(runner or Runner())
    make_plan(artifacts, TASKS, also=survey.look_at)
    return survey


def test_where_nothing_is_left_to_do_it_says_how_the_run_stands(artifacts: RunArtifacts) -> None:
    survey = survey_of(artifacts)

    assert survey.summary == summarise(Runner(), artifacts, TASKS)
    assert survey.evals_hash == hash_of_evals(artifacts, TASKS)


@pytest.mark.parametrize("name", ["generation.json", "eval.json"])
@pytest.mark.parametrize("content", [None, "{"])
def test_where_something_is_left_to_do_how_it_stands_will_change(
    artifacts: RunArtifacts, name: str, content: str | None
) -> None:
    path = artifacts.task_dir("t2") / name
    path.unlink()
    if content is not None:
        path.write_text(content)
    runner = Runner()

    survey = survey_of(artifacts, runner)

    assert survey.summary is None
    assert runner.asked == [0, 2]  # each one that stands, once
    assert survey.evals_hash == hash_of_evals(artifacts, TASKS)  # of what has not been set aside


def test_a_task_score_that_fails_is_told_of_by_the_summary(artifacts: RunArtifacts) -> None:
    class Failing(Runner):
        def task_score(self, result: JsonValue) -> float | None:
            raise KeyError(str(result))

    survey = survey_of(artifacts, Failing())

    assert survey.summary is None
    assert survey.evals_hash == hash_of_evals(artifacts, TASKS)
