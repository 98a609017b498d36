from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import pytest

from benchmark_runner._run.graded_by import CommandGrader, GradedBy
from benchmark_runner._run.score import CurrentEvals, EvalsDigest, current_score, make_score
from benchmark_runner.checkpoint import RunConfig
from benchmark_runner.errors import RunnerDefinitionError
from benchmark_runner.schemas import EvalResult, GenerationResult, ScoreResult
from tests.fakes import FakeRunner, RunFolder, hash_of_evals, make_session, summarise

if TYPE_CHECKING:
    from pathlib import Path

    from benchmark_runner.artifacts.run_folder import RunArtifacts

pytestmark = pytest.mark.anyio

TASKS = ["t2", "t1", "t3"]
SERVICE = "https://bench.example.com"


class Runner(FakeRunner):
    """Scores by itself, and keeps what it was given."""

    def __init__(self) -> None:
        super().__init__(SERVICE)
        self.scored: list[list[str]] = []

    async def score(self, eval_results: list[EvalResult]) -> ScoreResult:
        self.scored.append([result.task_id for result in eval_results])
        return ScoreResult(tasks_evaluated=["t1"], final_score=80.0, metadata={"by": "area"})


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "results")


@pytest.fixture
def artifacts(run: RunFolder) -> RunArtifacts:
    return run.artifacts


async def score(runner: Runner, artifacts: RunArtifacts, *, local: bool = False) -> ScoreResult:
    summary = summarise(runner, artifacts, TASKS)
    grader = CommandGrader(GradedBy(SERVICE, None, None), local)
    config = RunConfig(run_id="run-1", model="m", tasks=TASKS)
    return await make_score(make_session(runner, artifacts, config), summary, grader, deadline=5)


@pytest.mark.parametrize("local", [True, False])
async def test_score_is_written_with_its_basis(
    run: RunFolder, artifacts: RunArtifacts, local: bool
) -> None:
    """The score is written with counts, service and the tasks it is made of."""
    for task_id, value in zip(TASKS, (1.0, 0.0, 0.5), strict=True):
        run.add_evaluation(task_id, value)
    runner = Runner()

    made = await score(runner, artifacts, local=local)

    written = json.loads(artifacts.final_score_path.read_text())
    assert written == json.loads(made.model_dump_json())
    assert written["tasks_evaluated"] == ["t1"]
    assert written["final_score"] == 80.0
    assert written["metadata"] == {"by": "area"}
    assert written["complete"] is True
    assert written["local"] is local
    assert written["service_url"] == SERVICE
    assert written["counts"]["scored"] == 3
    assert runner.scored == [TASKS]


async def test_interval_belongs_to_the_mean(
    run: RunFolder,
    artifacts: RunArtifacts,
) -> None:
    """The standard error belongs to the mean and not to the service's score."""
    for task_id, value in zip(TASKS, (1.0, 0.0, 0.5), strict=True):
        run.add_evaluation(task_id, value)

    made = await score(Runner(), artifacts)

    assert (made.final_score, made.mean) == (80.0, 0.5)
    assert made.stderr == pytest.approx(0.5 / math.sqrt(3))


async def test_score_of_incomplete_run_is_marked(run: RunFolder, artifacts: RunArtifacts) -> None:
    """The score of an incomplete run is marked as incomplete."""
    run.add_evaluation("t1", 1.0)
    runner = Runner()

    made = await score(runner, artifacts)

    assert made.complete is False
    assert (made.mean, made.stderr) == (1.0, None)
    assert runner.scored == [["t1"]]


async def test_score_is_valid_while_evaluations_stay(
    run: RunFolder, artifacts: RunArtifacts
) -> None:
    """A score is valid while the evaluations stay."""
    for task_id in TASKS:
        run.add_evaluation(task_id, 1.0)
    made = await score(Runner(), artifacts)

    assert current_score(artifacts, hash_of_evals(artifacts, TASKS)) == made


@pytest.mark.parametrize(
    ("graded", "bounds"),
    [
        ({"t1": 1.0}, (1 / 3, 1.0)),
        ({"t1": 0.0}, (0.0, 2 / 3)),
        ({"t1": 0.5, "t2": 1.0, "t3": 0.0}, (0.5, 0.5)),
    ],
)
async def test_score_has_bounds_of_the_mean(
    run: RunFolder, artifacts: RunArtifacts, graded: dict[str, float], bounds: tuple[float, float]
) -> None:
    """The score has the bounds between which the mean of all tasks lies."""
    for task_id, value in graded.items():
        run.add_evaluation(task_id, value)

    made = await score(Runner(), artifacts)

    assert made.counts is not None
    assert (made.counts.total, made.counts.scored) == (3, len(graded))
    assert made.bounds is not None
    assert (made.bounds.errors_as_0, made.bounds.errors_as_1) == pytest.approx(bounds)


@pytest.mark.parametrize("value", [math.nan, math.inf])
async def test_score_must_be_finite(run: RunFolder, artifacts: RunArtifacts, value: float) -> None:
    """A score that is not finite is an error and is not written."""

    class Odd(Runner):
        async def score(self, eval_results: list[EvalResult]) -> ScoreResult:
            return ScoreResult(tasks_evaluated=["t1"], final_score=value)

    run.add_evaluation("t1", 1.0)

    with pytest.raises(RunnerDefinitionError, match="not a finite number"):
        await score(Odd(), artifacts)

    assert not artifacts.final_score_path.exists()


@pytest.mark.parametrize("change", ["regraded", "removed", "added"])
async def test_score_is_invalid_after_a_change(
    run: RunFolder, artifacts: RunArtifacts, change: str
) -> None:
    """A score is invalid when the evaluations change."""
    for task_id in TASKS:
        run.add_evaluation(task_id, 1.0)
    await score(Runner(), artifacts)

    tasks = TASKS
    match change:
        case "regraded":
            run.add_evaluation("t1", 0.0)
        case "removed":
            artifacts.eval_path("t1").unlink()
        case _:
            tasks = [*TASKS, "t4"]

    assert current_score(artifacts, hash_of_evals(artifacts, tasks)) is None


async def test_score_of_incomplete_run_is_not_reused(
    run: RunFolder, artifacts: RunArtifacts
) -> None:
    """The score of an incomplete run is not reused."""
    run.add_evaluation("t1", 1.0)
    await score(Runner(), artifacts)

    assert current_score(artifacts, hash_of_evals(artifacts, TASKS)) is None


def test_missing_score_is_none(artifacts: RunArtifacts) -> None:
    """Without a readable score there is none to reuse."""
    assert current_score(artifacts, hash_of_evals(artifacts, TASKS)) is None
    artifacts.run_dir.mkdir(parents=True)
    artifacts.final_score_path.write_text("{")

    assert current_score(artifacts, hash_of_evals(artifacts, TASKS)) is None


class TestCurrentEvals:
    def test_evaluations_keep_the_order_of_tasks(self, run: RunFolder) -> None:
        """Evaluations come in the order of the tasks."""
        for task_id in ("z", "a", "m"):
            run.add_evaluation(task_id, 1.0)

        evals = CurrentEvals(run.artifacts, ["m", "z", "nothing", "a"], EvalsDigest()).read()

        assert [result.task_id for result in evals] == ["m", "z", "a"]

    def test_stale_evaluations_are_left_out(self, run: RunFolder) -> None:
        """An evaluation of another or a missing generation is left out."""
        run.add_evaluation("t1", 1.0)
        run.artifacts.save_generation("t1", GenerationResult(data="new"))
        run.add_evaluation("t2", 1.0)
        run.artifacts.generation_path("t2").unlink()

        assert CurrentEvals(run.artifacts, run.tasks, EvalsDigest()).read() == []
