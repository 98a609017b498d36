"""The request for a run's score, in the shape that agrees with the grades.

A service has one hook that sums up a run. ``/v1/score`` takes envelopes and unwraps them;
``/final-score/`` sums up what was sent as it is, and services expect either. One that reads the
other shape answers a score of 0, or an error, though every grade is right.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Literal

from benchmark_runner._concurrency.author_calls import call_plain
from benchmark_runner._scores import finite
from benchmark_runner._stats.means import mean
from benchmark_runner._text import plural
from benchmark_runner.client.scoring import score_evals
from benchmark_runner.errors import BadResponseError, ServiceError, describe
from benchmark_runner.schemas import EvalStatus, ScoreResult

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from pydantic import JsonValue

    from benchmark_runner.client.scoring import Shape
    from benchmark_runner.client.service_client import BenchmarkServiceClient
    from benchmark_runner.schemas import EvalResult, FinalScoreResponse

__all__ = [
    "BOTH_SHAPES", "FAILED", "SUBMISSIONS", "Grades", "ScoreRequest", "Submission", "grades_of",
    "scoring_api",
]  # fmt: skip

#: Values of ``BenchmarkRunner.SCORE_SUBMISSION``.
Submission = Literal["auto", "envelope", "result"]
SUBMISSIONS: tuple[Submission, ...] = ("auto", "envelope", "result")

#: The answer of a service that can't read what was submitted.
FAILED = HTTPStatus.INTERNAL_SERVER_ERROR
BOTH_SHAPES: tuple[Shape, Shape] = ("envelope", "result")
_IN_WORDS: dict[Shape, str] = {"envelope": "envelopes", "result": "bare results"}


@dataclass(frozen=True, slots=True)
class Grades:
    """The grades behind a score: the tasks that have one, and the known task scores."""

    task_ids: Collection[str]
    scores: Sequence[float]

    def contradict(
        self, final_score: float, tasks_evaluated: Collection[str] | None = None
    ) -> str | None:
        """Return how a score contradicts the grades; ``None`` if it may be true.

        Without ``tasks_evaluated``, it is unknown which tasks the score is of.
        """
        own = mean(self.scores)
        if not own:
            return None
        if final_score == 0:
            return f"the score is 0, while the mean of the tasks' own scores is {own:.4g}"
        if tasks_evaluated is not None and not {*self.task_ids}.intersection(tasks_evaluated):
            evaluated = plural(len(self.task_ids), "evaluated task")
            return f"the score is {final_score:.4g}, of none of {evaluated}"
        return None

    def leave_open(self, final_score: float) -> bool:
        """Return True if a score may be a false 0, as the scores of some tasks are unknown."""
        return final_score == 0 and len(self.scores) < len(self.task_ids)


def scoring_api(evaluation_api: str) -> str:
    """Return the API that sums up what was evaluated by another: ``legacy``, or ``v1``."""
    return "v1" if evaluation_api == "v1" else "legacy"


def grades_of(
    evals: Sequence[EvalResult], task_score: Callable[[JsonValue], float | None]
) -> Grades:
    """Return the grades of a run from its evaluations."""
    graded = [each for each in evals if each.status is EvalStatus.EVALUATED]
    scores = (finite(call_plain(task_score, each.result_json())) for each in graded)
    return Grades(
        [each.task_id for each in graded], [score for score in scores if score is not None]
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRequest:
    """A request for the score of a run.

    Attributes:
        client: The client of the service.
        api: The API that is asked: ``legacy`` or ``v1``.
        submission: The shape of what is submitted; with ``auto``, the one that agrees.
        dataset: The service's name of the dataset; ``None`` for its default one.
        evals: The tasks with their evaluations, ``None`` without one; iterated for each request.
        grades: The grades that the score has to agree with.
    """

    client: BenchmarkServiceClient
    api: str
    submission: Submission
    run_id: str
    dataset: str | None
    evals: Iterable[tuple[str, EvalResult | None]]
    grades: Grades

    async def send(self) -> ScoreResult:
        """Return the score of the run.

        Raises:
            BadResponseError: the score contradicts the grades.
            ServiceError: the service can't score them.
        """
        if self.submission == "auto":
            return await self._in_any_shape()
        response = await self._ask(self.submission)
        if self._contradiction(response) is not None:
            await self._refuse_if_other_agrees(self.submission, response)
        return self._score(self.submission, response)

    async def _in_any_shape(self) -> ScoreResult:
        shapes = BOTH_SHAPES if self.api == "legacy" else BOTH_SHAPES[:1]
        answers: dict[Shape, FinalScoreResponse | ServiceError] = {}
        for shape in shapes:
            try:
                answers[shape] = response = await self._ask(shape, retry_500=shape == shapes[-1])
            except ServiceError as error:
                if not answers and error.status_code != FAILED:
                    raise
                answers[shape] = error
            else:
                is_open = self.grades.leave_open(response.final_score)
                if self._contradiction(response) is None and not is_open:
                    return self._score(shape, response)
        for shape, answer in answers.items():  # a 0 that is 0, or an error, in the other shape
            if not isinstance(answer, ServiceError) and self._contradiction(answer) is None:
                return self._score(shape, answer)
        last = answers[shapes[-1]]
        if isinstance(last, ServiceError) and isinstance(answers[shapes[0]], ServiceError):
            raise last
        raise self._contradictory(answers, self._way_out())

    async def _refuse_if_other_agrees(self, shape: Shape, response: FinalScoreResponse) -> None:
        """Refuse a score that contradicts the grades if it does not in the other shape."""
        if self.api != "legacy":
            return
        other: Shape = "result" if shape == "envelope" else "envelope"
        try:
            answer = await self._ask(other, retry_500=False)
        except ServiceError:
            return
        if self._contradiction(answer) is None:
            line = f'Set SCORE_SUBMISSION = "{other}" in runner/benchmark.py'
            raise self._contradictory({shape: response, other: answer}, line)

    async def _ask(self, shape: Shape, *, retry_500: bool = True) -> FinalScoreResponse:
        retry = self.client.calls.retry
        if not retry_500:
            retry = replace(retry, final_statuses=frozenset({FAILED}))
        return await score_evals(
            self.client, self.api, self.run_id, self.dataset, self.evals, shape=shape, retry=retry
        )

    def _contradiction(self, response: FinalScoreResponse) -> str | None:
        is_named = "tasks_evaluated" in response.model_fields_set
        named = response.tasks_evaluated if is_named else None
        return self.grades.contradict(response.final_score, named)

    def _contradictory(
        self, answers: dict[Shape, FinalScoreResponse | ServiceError], way_out: str
    ) -> BadResponseError:
        said = "; ".join(
            f"asked with {_IN_WORDS[shape]}, {self._in_words(answer)}"
            for shape, answer in answers.items()
        )
        return BadResponseError(
            f"no score was written, as what {self.client.base_url} answers contradicts the "
            f"evaluations: {said}",
            hint=f"{way_out}, and run score again; no evaluation is repeated.",
        )

    def _in_words(self, answer: FinalScoreResponse | ServiceError) -> str:
        if isinstance(answer, ServiceError):
            return f"it fails ({describe(answer)})"
        found = self._contradiction(answer)
        return f"the score is {answer.final_score:.4g}" if found is None else found

    def _way_out(self) -> str:
        accept = 'Where that is right, set SCORE_SUBMISSION = "envelope"'
        if self.api == "legacy":
            accept += ' or "result", whichever the service reads,'
        return f"{accept} in runner/benchmark.py"

    def _score(self, shape: Shape, response: FinalScoreResponse) -> ScoreResult:
        return ScoreResult(
            tasks_evaluated=response.tasks_evaluated,
            final_score=response.final_score,
            metadata=response.metadata,
            score_api=self.api,
            score_submission=shape,
        )
