"""Two runs on disk, made by hand: a baseline A and a candidate B."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.checkpoint import RunConfig
from benchmark_runner.results.compare.effect import compare
from benchmark_runner.results.compare.pairing import pair
from benchmark_runner.results.compare.side import read_side
from benchmark_runner.results.compare.verdict import judge
from benchmark_runner.results.run_view import open_view
from benchmark_runner.schemas import EvalResult, EvalStatus, GenerationResult, GenerationStatus
from tests.fakes import FakeRunner

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Mapping, Sequence
    from pathlib import Path

    from benchmark_runner.results.compare.effect import Comparison
    from benchmark_runner.results.compare.findings import Concern
    from benchmark_runner.results.compare.pairing import Pairing
    from benchmark_runner.results.compare.side import Side
    from benchmark_runner.results.compare.verdict import Judgement

#: What becomes of a task: what it scores, or one of these.
FAILED, FAILED_GRADING, UNGRADED, UNGRADED_TIMEOUT, TIMED_OUT, NO_TASK_SCORE, TORN, MISSING = (
    "failed", "failed in grading", "ungraded", "timed out, ungraded", "timed out", "no task score",
    "torn", "missing",
)  # fmt: skip
GRADER = {
    "service_url": "https://grader.example",
    "evaluation_api": "legacy",
    "service_version": "1.0",
    "evaluator_version": "e1",
}


@dataclass
class TwoRuns:
    """The folder of both; by default they differ in nothing but the scores."""

    folder: Path
    artifacts: dict[str, RunArtifacts] = field(default_factory=dict[str, RunArtifacts])

    def write(
        self,
        run_id: str,
        outcomes: Mapping[str, float | str],
        *,
        graders: Mapping[str, Mapping[str, Any]] | None = None,
        grader: Mapping[str, Any] | None = None,
        generation: Mapping[str, Any] | None = None,
        silent: Collection[str] = (),
        **config: Any,
    ) -> None:
        """Write a run.

        Args:
            run_id: Which.
            outcomes: What becomes of each of its tasks.
            graders: What differs of the grader of some tasks.
            grader: What differs of the grader of all.
            generation: Fields of each generation.
            silent: Tasks whose generations do not have them.
            config: What differs of its config.
        """
        made = self.artifacts[run_id] = RunArtifacts(self.folder, run_id, durable=False)
        usual: dict[str, Any] = {
            "model": "m",
            "task_hashes": {task_id: f"hash of {task_id}" for task_id in outcomes},
            "dataset_name": "letters",
            "payload_schema": "sample.text.v1",
            "local": False,
        }
        tasks = [*outcomes]
        made.save(
            made.run_config_path, RunConfig(run_id=run_id, tasks=tasks, **{**usual, **config})
        )
        for task_id, outcome in outcomes.items():
            by = {**GRADER, **(grader or {}), **(graders or {}).get(task_id, {})}
            fields = {} if task_id in silent else generation or {}
            self._write_task(made, task_id, outcome, by, fields)

    def write_repeats(
        self, run_id: str, repeats: Sequence[Mapping[str, float | str]], **fields: Any
    ) -> None:
        """Write a run of several repeats, with the outcomes of the tasks in each."""
        self.write(run_id, repeats[0], repeats=len(repeats), **fields)
        made = self.artifacts[run_id]
        for number, outcomes in enumerate(repeats[1:], start=2):
            for task_id, outcome in outcomes.items():
                self._write_task(
                    made.of_repeat(number), task_id, outcome, GRADER, fields.get("generation") or {}
                )

    def _write_task(
        self,
        made: RunArtifacts,
        task_id: str,
        outcome: float | str,
        by: Mapping[str, Any],
        fields: Mapping[str, Any],
    ) -> None:
        if outcome == MISSING:
            return
        status = GenerationStatus.SUCCESS
        if outcome in (TIMED_OUT, UNGRADED_TIMEOUT):
            status = GenerationStatus.MAX_TIME
        elif outcome == FAILED:
            status = GenerationStatus.ERROR
        generation = GenerationResult(task_id=task_id, status=status, **fields)
        content_hash = made.save_generation(task_id, generation)
        if outcome == TORN:
            made.generation_path(task_id).write_text("{")
        if outcome in (FAILED, UNGRADED, UNGRADED_TIMEOUT, TORN):
            return
        graded: dict[str, Any] = {"status": EvalStatus.EVALUATED, "result": outcome, **by}
        if outcome == TIMED_OUT:
            graded = {"status": EvalStatus.DID_NOT_COMPLETE}
        elif outcome == FAILED_GRADING:
            graded = {"status": EvalStatus.ERROR}
        elif outcome == NO_TASK_SCORE:
            graded["result"] = {"verdict": "fine"}
        result = EvalResult(task_id=task_id, generation_hash=content_hash, **graded)
        made.save_eval(task_id, result)

    def side(self, run_id: str) -> Side:
        return read_side(open_view(self.folder, run_id, FakeRunner("https://grader.example")))

    def pairing(self) -> Pairing:
        return pair(self.side("a"), self.side("b"))

    def comparison(
        self,
        *,
        clusters: Mapping[str, Hashable] | None = None,
        groups: Mapping[str, str] | None = None,
    ) -> Comparison:
        a, b = self.side("a"), self.side("b")
        return compare(a, b, clusters=clusters, groups=groups)


def passes(passed: int, failed: int, *, start: int = 0) -> dict[str, float | str]:
    """So many tasks that were passed, then so many that were failed."""
    total = passed + failed
    return {f"t{start + n}": float(n < passed) for n in range(total)}


#: The outcomes of a run that most tests compare with another.
WHOLE = passes(25, 15)


def judged(runs: TwoRuns) -> Judgement:
    return judge(runs.comparison())


def about(judgement: Judgement) -> tuple[list[Concern], list[Concern]]:
    """What the obstacles and the warnings are about."""
    obstacles, warnings = judgement.obstacles, judgement.warnings
    return [each.about for each in obstacles], [each.about for each in warnings]
