"""Runs on disk for tests of what reads them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.checkpoint import RunConfig
from benchmark_runner.results.run_list import list_runs
from benchmark_runner.results.run_view import open_view
from benchmark_runner.schemas import (
    EvalResult,
    EvalStatus,
    GenerationResult,
    ScoreResult,
)
from tests.fakes import FakeRunner, hash_of_evals, summarise
from tests.files import state

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import JsonValue

    from benchmark_runner.results.run_list import RunOverview
    from benchmark_runner.results.run_view import RunView

START = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
TASKS = ["t2", "t1", "t3"]


class Results:
    """A results folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def artifacts(self, run_id: str = "r1") -> RunArtifacts:
        return RunArtifacts(self.folder, run_id)

    def begin(self, run_id: str = "r1", **fields: Any) -> RunArtifacts:
        made = self.artifacts(run_id)
        config = RunConfig(run_id=run_id, model="m", **{"tasks": TASKS, **fields})
        made.save(made.run_config_path, config)
        return made

    def finish(self, run_id: str = "r1", **fields: Any) -> RunArtifacts:
        """A run in which each task has a grade, and no score yet."""
        made = self.begin(run_id, **fields)
        for number, task_id in enumerate(TASKS):
            self.grade(made, task_id, number)
        return made

    def grade(self, made: RunArtifacts, task_id: str, result: JsonValue) -> None:
        generation = GenerationResult(
            task_id=task_id,
            started_at=START + timedelta(hours=len(task_id)),
            ended_at=START + timedelta(hours=2 + TASKS.index(task_id)),
        )
        content_hash = made.save_generation(task_id, generation)
        evaluated = EvalResult(
            task_id=task_id,
            status=EvalStatus.EVALUATED,
            result=result,
            generation_hash=content_hash,
        )
        made.save_eval(task_id, evaluated)

    def score(self, made: RunArtifacts, *, complete: bool = True, **fields: Any) -> ScoreResult:
        summary = summarise(FakeRunner(), made, TASKS)
        score = ScoreResult(
            tasks_evaluated=TASKS,
            final_score=0.75,
            complete=complete,
            **{
                "mean": summary.mean,
                "stderr": summary.stderr,
                "counts": summary.counts,
                "evals_hash": hash_of_evals(made, TASKS),
                **fields,
            },
        )
        made.save_final_score(score)
        return score

    def view(self, run_id: str = "r1", runner: FakeRunner | None = None) -> RunView:
        return open_view(self.folder, run_id, runner or FakeRunner())

    def listed(self, runner: FakeRunner | None = None) -> list[RunOverview]:
        return list_runs(self.folder, runner or FakeRunner())

    def state(self) -> dict[Path, tuple[bytes, int]]:
        return state(self.folder)
