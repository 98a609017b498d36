"""Runs made by hand, with every kind of outcome, for the tests of the report and of its page."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from benchmark_runner._run.score import EvalsDigest
from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.artifacts.task_files import TaskFiles
from benchmark_runner.checkpoint import Invocation, RunConfig
from benchmark_runner.results.run_view import open_view
from benchmark_runner.schemas import (
    EvalResult,
    EvalStatus,
    Failure,
    FailureKind,
    GenerationResult,
    GenerationStatus,
    Phase,
    ScoreResult,
    TokenUsage,
)
from tests.fakes import FakeRunner, summarise

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pydantic import JsonValue

    from benchmark_runner.results.run_view import RunView

START = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
TOPICS = ("algebra", "geometry", "number theory", "probability")
WORDS = (
    *("let", "a", "triangle", "have", "sides", "whose", "squares", "sum", "to", "twelve", "then"),
    *("prove", "that", "no", "integer", "above", "seven", "divides", "its", "area", "and", "so"),
)


@dataclass
class MadeRun:
    """A run on disk, of which each task is made to end as a test says."""

    results: Path
    run_id: str = "r1"
    fields: dict[str, Any] = field(default_factory=dict[str, Any])
    tasks: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        self.artifacts = RunArtifacts(self.results, self.run_id, durable=False)

    def repeat(self, number: int) -> MadeRun:
        """The same run, for another repeat of its tasks."""
        self.fields["repeats"] = max(self.fields.get("repeats", 1), number)
        other = MadeRun(self.results, self.run_id)
        other.artifacts = self.artifacts.of_repeat(number)
        return other

    def generated(
        self, task_id: str, status: str = "success", *, number: int = 0, **more: Any
    ) -> str:
        """A generation; returns the hash of its file."""
        self.tasks.append(task_id)
        self.artifacts.prepare_task(task_id)
        generation = GenerationResult(
            task_id=task_id,
            status=GenerationStatus(status),
            **{
                "question": f"What is {task_id}?",
                "answer": f"It is {task_id}.",
                "model": "m",
                "started_at": START + timedelta(seconds=number),
                "ended_at": START + timedelta(seconds=number + 5),
                "duration": 5.0,
                **more,
            },
        )
        return self.artifacts.save_generation(task_id, generation)

    def graded(
        self, task_id: str, result: JsonValue, *, number: int = 0, local: bool = True, **more: Any
    ) -> None:
        """A generation with its grade."""
        content_hash = self.generated(task_id, number=number, **more)
        evaluated = EvalResult(
            task_id=task_id,
            status=EvalStatus.EVALUATED,
            result=result,
            generation_hash=content_hash,
            service_url="local" if local else "https://grader.example.com",
            evaluation_api="legacy",
            evaluator_version="e1",
            local=local,
            duration=0.5,
        )
        self.artifacts.save_eval(task_id, evaluated)

    def ran_out(self, task_id: str, of: str = "max_time", **more: Any) -> None:
        """A task that ran out of time or turns."""
        content_hash = self.generated(task_id, of, **more)
        result = EvalResult(
            task_id=task_id, status=EvalStatus.DID_NOT_COMPLETE, generation_hash=content_hash
        )
        self.artifacts.save_eval(task_id, result)

    def failed(self, task_id: str, error: str, phase: Phase = Phase.GENERATE, **more: Any) -> None:
        """A task that failed when it was generated, or when it was graded."""
        failure = Failure(phase=phase, kind=FailureKind.AUTHOR_CODE, retryable=False)
        if phase is Phase.GENERATE:
            self.generated(task_id, "error", error=error, failure=failure, **more)
            self.artifacts.write_log(task_id, "traceback.log", error)
            return
        content_hash = self.generated(task_id, **more)
        result = EvalResult(
            task_id=task_id,
            status=EvalStatus.ERROR,
            error=error,
            failure=failure,
            generation_hash=content_hash,
        )
        self.artifacts.save_eval(task_id, result)

    def missing(self, task_id: str) -> None:
        """A task that nobody has begun."""
        self.tasks.append(task_id)

    def save(self, *, final_score: float | None = None, complete: bool = True) -> RunView:
        """Write what the run is, and its score where it has one."""
        config = RunConfig(
            run_id=self.run_id,
            **{
                "model": "some-model-1",
                "tasks": self.tasks,
                "task_hashes": {task_id: f"hash of {task_id}" for task_id in self.tasks},
                "dataset_name": "validation",
                "dataset_file": "data/validation.json",
                "sampling": {"temperature": 0.2},
                "local": True,
                "service_url": "local",
                "generation_version": "g1",
                "runner_version": "0.1.0",
                "runner_commit": "0123456789abcdef0123456789abcdef01234567",
                "runner_dirty": True,
                "runtime_version": "0.1.0",
                "python_version": "3.11.2",
                "created_at": START,
                "history": [Invocation(at=START, command="run")],
                **self.fields,
            },
        )
        self.artifacts.save(self.artifacts.run_config_path, config)
        if final_score is not None:
            self.artifacts.save_final_score(self._score(final_score, complete=complete))
        return self.view()

    def view(self) -> RunView:
        """Look at it."""
        return open_view(self.results, self.run_id, FakeRunner())

    def _score(self, final_score: float, *, complete: bool) -> ScoreResult:
        summary, digest = summarise(FakeRunner(), self.artifacts, self.tasks), EvalsDigest()
        for task_id in self.tasks:
            digest.add(TaskFiles(self.artifacts, task_id))
        return ScoreResult(
            tasks_evaluated=self.tasks,
            final_score=final_score,
            complete=complete,
            local=True,
            mean=summary.mean,
            stderr=summary.stderr,
            counts=summary.counts,
            bounds=summary.bounds,
            evals_hash=digest.hexdigest(),
        )


def every_outcome(results: Path, run_id: str = "r1", **fields: Any) -> MadeRun:
    """A run with a task of each state, two of which are scored: 1 and 0.5."""
    run = MadeRun(results, run_id, fields)
    usage = TokenUsage(input=1000, output=50)
    run.graded("right", {"pass_percentage": 1.0}, usage=usage, cost=0.25)
    run.graded("half", {"pass_percentage": 0.5}, usage=usage, cost=0.75)
    run.ran_out("slow")
    run.ran_out("chatty", "max_turns")
    run.failed("broken-1", "ValueError: no luck with 'broken-1'")
    run.failed("broken-2", "ValueError: no luck with 'broken-2'")
    run.failed("unfair", "KeyError: 'answer'", Phase.EVALUATE)
    run.generated("waiting")
    run.missing("missing")
    return run


def with_repeats(results: Path, run_id: str = "r1") -> MadeRun:
    """A run of three repeats: one task is passed in each, in the others the repeats differ."""
    run = MadeRun(results, run_id)
    for number, made in enumerate((run, run.repeat(2), run.repeat(3)), start=1):
        said: dict[str, Any] = {"answer": f"Answer {number}.", "cost": 0.25, "number": number}
        made.graded("steady", {"pass_percentage": 1.0}, **said)
        made.graded("flaky", {"pass_percentage": float(number != 2)}, **said)
        made.graded("partly", {"pass_percentage": number / 4}, **said)
    run.graded("late", {"pass_percentage": 1.0})
    run.repeat(2).ran_out("late")
    run.repeat(3).ran_out("late", "max_turns")
    run.graded("broken", {"pass_percentage": 0.0})
    run.repeat(2).failed("broken", "ValueError: no luck with 'broken'")
    return run


def many(
    results: Path, count: int, run_id: str = "r1", *, seed: int = 1, skill: float = 0.6
) -> MadeRun:
    """A run of many tasks with texts of some length, as a benchmark would have it."""
    chance = random.Random(seed)
    run = MadeRun(results, run_id)
    for number in range(count):
        task_id = f"task-{number:04}"
        more: dict[str, Any] = {
            "number": number,
            "question": _sentence(chance, 90),
            "answer": _sentence(chance, 250),
            "duration": chance.lognormvariate(3, 0.8),
            "usage": TokenUsage(
                input=round(chance.lognormvariate(7, 0.6)),
                output=round(chance.lognormvariate(6.5, 0.7)),
            ),
            "cost": chance.lognormvariate(-4.5, 0.7),
        }
        match chance.random():
            case draw if draw < 0.03:
                run.failed(task_id, f"RateLimitError: too many requests for {task_id}", **more)
            case draw if draw < 0.04:
                run.failed(task_id, "KeyError: 'answer'", Phase.EVALUATE, **more)
            case draw if draw < 0.07:
                run.ran_out(task_id, **more)
            case draw if draw < 0.08:
                run.ran_out(task_id, "max_turns", **more)
            case _:
                passed = float(chance.random() < skill)
                grade = {"pass_percentage": passed, "explanation": _sentence(chance, 40)}
                run.graded(task_id, grade, **more)
    return run


def topics(tasks: Sequence[str]) -> dict[str, str]:
    """A topic for each task."""
    return {task_id: TOPICS[place % len(TOPICS)] for place, task_id in enumerate(tasks)}


def _sentence(chance: random.Random, words: int) -> str:
    return " ".join(chance.choices(WORDS, k=words))
