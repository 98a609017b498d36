"""The final score of a run: made from its evals, or still up to date on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import partial
from typing import cast

from benchmark_runner._concurrency.deadline import (
    DeadlineExceeded,
    call_within,
)
from benchmark_runner._concurrency.thread_pool import run_in_thread
from benchmark_runner._run.graded_by import CommandGrader
from benchmark_runner._run.plain_data import FieldError, plain
from benchmark_runner._run.repeat_scores import mean_score
from benchmark_runner._run.session import Session
from benchmark_runner._run.summary import RunSummary, Summariser
from benchmark_runner._scores import finite
from benchmark_runner.artifacts.eval_rules import EvalRules
from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.artifacts.task_files import TaskFiles
from benchmark_runner.base import BenchmarkRunner
from benchmark_runner.base.score_request import Grades, ScoreRequest, scoring_api
from benchmark_runner.errors import (
    BadResponseError,
    BenchmarkRunnerError,
    RunnerDefinitionError,
    describe,
)
from benchmark_runner.schemas import EvalResult, ScoreResult

_FIX_SCORE = "Correct score() in runner/benchmark.py; the evaluations are on disk."
_FIX_CONTRADICTION = (
    "Correct score() in runner/benchmark.py, or remove it if it only asks the service; where it is "
    'right, set SCORE_SUBMISSION = "envelope" there. Then run score again.'
)


def current_score(
    artifacts: RunArtifacts, evals_hash: str, *, complete: bool = True
) -> ScoreResult | None:
    """Return the score on disk if it is of the evals with this hash, and of a complete run.

    With ``complete=False``, return it only if it was forced, of an incomplete one.
    """
    score = artifacts.load_final_score()
    if score is None or score.complete is not complete:
        return None
    return score if is_current(score, evals_hash, artifacts.eval_rules) else None


def is_current(score: ScoreResult, evals_hash: str, rules: EvalRules) -> bool:
    """Return True if a score is of the evals with this hash.

    One without a hash is trusted where their evals need none, either.
    """
    return not rules.need_hash if score.evals_hash is None else score.evals_hash == evals_hash


def is_asked_as_set(score: ScoreResult, runner: BenchmarkRunner) -> bool:
    """Return True if a score was asked for by the runner's API and in its shape.

    An author's own ``score()`` has neither; an earlier version of the framework sent envelopes.
    """
    if has_own_score(runner):
        return True
    shape = score.score_submission or "envelope"
    api = scoring_api(runner.EVALUATION_API)
    is_api = score.score_api in (None, api)
    is_shape = api != "legacy" or runner.SCORE_SUBMISSION in ("auto", shape)
    return is_api and is_shape


def has_own_score(runner: BenchmarkRunner) -> bool:
    """Return True if the author has replaced ``score()``."""
    return getattr(runner.score, "__func__", None) is not BenchmarkRunner.score


def contradiction(score: ScoreResult, runner: BenchmarkRunner, summary: RunSummary) -> str | None:
    """Return how a score contradicts the grades; ``None`` if it may be true.

    It does not if it was compared with them when it was made, or if the author has set what the
    service sums up.
    """
    if score.score_submission is not None or runner.SCORE_SUBMISSION != "auto":
        return None
    return summary.grades.contradict(score.final_score)


async def make_score(
    session: Session, summary: RunSummary, grader: CommandGrader, deadline: float
) -> ScoreResult:
    """Score the frozen task list and write ``final_score.json``.

    Each repeat is a request of its own, under a run id of its own, with ``deadline`` seconds.

    Raises:
        ServiceError: the service can't score them, or its score contradicts the grades.
        RunnerDefinitionError: the author's ``score()`` fails.
    """
    runner, artifacts = session.runner, session.artifacts
    digest = EvalsDigest()
    try:
        scores = [
            await _score_repeat(session, repeat, digest, summary.grades, deadline)
            for repeat in range(1, session.config.repeats + 1)
        ]
    finally:
        runner.pin_repeat(1)
    scored = scores[0] if len(scores) == 1 else mean_score(scores)
    if (problem := contradiction(scored, runner, summary)) is not None:
        raise BadResponseError(
            f"no score was written, as that of score() contradicts the evaluations: {problem}",
            hint=_FIX_CONTRADICTION,
        )
    score = scored.model_copy(
        update={
            "complete": summary.complete,
            "imported": session.config.imported is not None,
            "local": grader.local,
            "service_url": grader.by.service_url,
            "dataset_version": summary.dataset_version,
            "mean": summary.mean,
            "stderr": summary.stderr,
            "counts": summary.counts,
            "bounds": summary.bounds,
            "evals_hash": digest.hexdigest(),
        }
    )
    await run_in_thread(artifacts.save_final_score, score)
    return score


async def _score_repeat(
    session: Session, repeat: int, digest: EvalsDigest, grades: Grades, deadline: float
) -> ScoreResult:
    runner, config = session.runner, session.config
    runner.pin_repeat(repeat)
    evals = CurrentEvals(session.artifacts, config.tasks, digest, repeat)
    if config.repeats > 1:
        grades = await run_in_thread(evals.grades, runner)
    return await _call_score(runner, evals, grades, deadline)


async def _call_score(
    runner: BenchmarkRunner, evals: CurrentEvals, grades: Grades, deadline: float
) -> ScoreResult:
    if has_own_score(runner):  # it takes them all at once
        call = partial(runner.score, await run_in_thread(evals.read))
    else:
        call = ScoreRequest(
            client=runner.service,
            api=scoring_api(runner.EVALUATION_API),
            submission=runner.SCORE_SUBMISSION,
            run_id=runner.run_id,
            dataset=runner.dataset_name,
            evals=evals,
            grades=grades,
        ).send
    try:
        scored = cast("object", await call_within(runner.score, call, deadline))
    except BenchmarkRunnerError:
        raise
    except DeadlineExceeded:
        raise RunnerDefinitionError(
            f"score() did not end within {deadline:g} s", hint="Give a longer --eval-timeout."
        ) from None
    except Exception as error:
        message = f"score() failed: {describe(error)}"
        raise RunnerDefinitionError(message, hint=_FIX_SCORE) from error
    message = f"score() returned {type(scored).__name__}, not ScoreResult"
    if isinstance(scored, ScoreResult):
        number = cast("object", scored.final_score)
        try:
            if not isinstance(number, (int, float)) or finite(number) is not None:
                return plain(scored, ScoreResult, "score()")
            message = f"score() returned {number!s:.20}, not a finite number below 1e100"
        except FieldError as error:
            message = str(error)
    raise RunnerDefinitionError(message, hint=_FIX_SCORE)


class EvalsDigest:
    """SHA-256 over the evals of tasks, in their order; with several repeats, over that of each."""

    def __init__(self) -> None:
        self._of_repeat = {1: hashlib.sha256()}

    def begin(self, repeat: int) -> None:
        """Forget what was added of a repeat."""
        self._of_repeat[repeat] = hashlib.sha256()

    def add(self, task: TaskFiles) -> None:
        """Add the content of one ``eval.json``, or that there is none."""
        if task.key.repeat not in self._of_repeat:
            self.begin(task.key.repeat)
        digest = self._of_repeat[task.key.repeat]
        digest.update(task.task_id.encode())
        digest.update(task.eval_content or b"-")

    def hexdigest(self) -> str:
        """Return the hash of what was added."""
        found = [digest.hexdigest() for _, digest in sorted(self._of_repeat.items())]
        return found[0] if len(found) == 1 else hashlib.sha256("".join(found).encode()).hexdigest()


class CurrentEvals:
    """The evals of one repeat of the generations on disk, read one at a time.

    ``digest`` gets what is read; the last reading counts.
    """

    def __init__(
        self,
        artifacts: RunArtifacts,
        task_ids: Sequence[str],
        digest: EvalsDigest,
        repeat: int = 1,
    ) -> None:
        self._artifacts = artifacts
        self._task_ids = task_ids
        self._digest = digest
        self._repeat = repeat

    def __iter__(self) -> Iterator[tuple[str, EvalResult | None]]:
        """Yield each task id with its eval; ``None`` without one."""
        self._digest.begin(self._repeat)
        for task_id in self._task_ids:
            task = TaskFiles(self._artifacts, task_id, self._repeat)
            result = task.evaluation
            belongs = result is not None and task.is_current(result)
            self._digest.add(task)
            yield task_id, result if belongs else None

    def read(self) -> list[EvalResult]:
        """Return all evals."""
        return [result for _, result in self if result is not None]

    def grades(self, runner: BenchmarkRunner) -> Grades:
        """Return the grades, with which a score has to agree."""
        summariser = Summariser(runner)
        for task_id in self._task_ids:
            summariser.add(TaskFiles(self._artifacts, task_id, self._repeat))
        return summariser.summary().grades
