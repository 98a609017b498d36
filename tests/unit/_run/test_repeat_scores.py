"""The score of a run with repeats: one request for each, and the mean of the answers."""

from __future__ import annotations

import hashlib
import json
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from benchmark_runner._run.graded_by import CommandGrader, GradedBy
from benchmark_runner._run.repeat_scores import mean_score
from benchmark_runner._run.score import EvalsDigest, current_score, make_score
from benchmark_runner.artifacts.task_files import TaskFiles
from benchmark_runner.checkpoint import RunConfig
from benchmark_runner.errors import BadResponseError, ServiceError
from benchmark_runner.schemas import EvalResult, EvalStatus, GenerationResult, ScoreResult
from tests.fakes import FakeRunner, hash_of_evals, make_session, summarise
from tests.scripted_service import ScriptedService

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.types import ASGIApp

    from benchmark_runner.artifacts.run_folder import RunArtifacts

pytestmark = pytest.mark.anyio

TASKS = ["t2", "t1"]
#: The scores of the tasks, by repeat.
SCORES = {"t2": (1.0, 0.0, 1.0), "t1": (0.0, 0.0, 1.0)}


class Runner(FakeRunner):
    """Scores by itself, as a list of means says, and keeps what it was given."""

    def __init__(self, url: str = "local", score: Sequence[float] = (50, 0, 100)) -> None:
        super().__init__(url)
        self.scored: list[tuple[str, list[str], list[Any]]] = []
        self._scores = iter(score)

    async def score(self, eval_results: list[EvalResult]) -> ScoreResult:
        ids = [each.task_id for each in eval_results]
        self.scored.append((self.run_id, ids, [each.result for each in eval_results]))
        return ScoreResult(tasks_evaluated=ids, final_score=next(self._scores))


class Asks(FakeRunner):
    """Adds something of its own to the score of the service."""

    async def score(self, eval_results: list[EvalResult]) -> ScoreResult:
        scored = await super().score(eval_results)
        return scored.model_copy(update={"metadata": {"of": self.run_id}})


def fill(artifacts: RunArtifacts, repeats: int = 3) -> None:
    for task_id, scores in SCORES.items():
        for repeat, value in enumerate(scores[:repeats], start=1):
            evaluate(artifacts, task_id, repeat, value)


def evaluate(artifacts: RunArtifacts, task_id: str, repeat: int, value: float) -> None:
    files = artifacts.of_repeat(repeat)
    made = files.save_generation(task_id, GenerationResult(task_id=task_id))
    grade = EvalResult(
        task_id=task_id, status=EvalStatus.EVALUATED, result=value, generation_hash=made
    )
    files.save_eval(task_id, grade)


async def score(
    runner: FakeRunner, artifacts: RunArtifacts, repeats: int = 3, url: str = "local"
) -> ScoreResult:
    runner.register_tasks([])
    config = RunConfig(run_id="run-1", model="m", tasks=TASKS, repeats=repeats)
    runner.run_id = artifacts.run_id
    runner.pin_run(artifacts)
    runner.run_id = "another"  # by the author's code
    summary = summarise(runner, artifacts, TASKS, repeats)
    grader = CommandGrader(GradedBy(url, None, None), local=False)
    return await make_score(make_session(runner, artifacts, config), summary, grader, deadline=5)


@pytest.fixture
def service(serve_app: Callable[[ASGIApp], str]) -> ScriptedService:
    made = ScriptedService()
    made.url = serve_app(made.app())
    return made


class TestTheScore:
    async def test_own_score_is_called_for_each_repeat(self, artifacts: RunArtifacts) -> None:
        """score() of an author gets the evaluations of one repeat at a time, with a run id."""
        fill(artifacts)
        runner = Runner()
        made = await score(runner, artifacts)
        assert runner.scored == [
            ("run-1", TASKS, [1.0, 0.0]),
            ("run-1-repeat-2", TASKS, [0.0, 0.0]),
            ("run-1-repeat-3", TASKS, [1.0, 1.0]),
        ]
        assert runner.run_id == "run-1"
        assert made.final_score == 50
        assert [(each.repeat, each.final_score) for each in made.repeats] == [
            *((1, 50), (2, 0), (3, 100)),
        ]
        assert made.tasks_evaluated == TASKS

    async def test_run_without_repeats_has_no_list(self, artifacts: RunArtifacts) -> None:
        """The score of a run with one repeat is the service's, without a list of repeats."""
        fill(artifacts, 1)
        made = await score(Runner(), artifacts, 1)
        written = json.loads(artifacts.final_score_path.read_text())
        assert (made.final_score, "repeats" in written) == (50, False)

    async def test_numbers_are_over_tasks(self, artifacts: RunArtifacts) -> None:
        """The mean, its error and the bounds are over tasks, and the counts of generations."""
        fill(artifacts)
        artifacts.of_repeat(2).eval_path("t2").unlink()
        made = await score(Runner(), artifacts)
        assert made.counts is not None
        assert (made.counts.total, made.counts.scored) == (6, 5)
        assert made.mean == pytest.approx((1 + 1 / 3) / 2)
        assert made.stderr == pytest.approx((1 - 1 / 3) / 2)
        assert made.bounds is not None
        assert (made.bounds.errors_as_0, made.bounds.errors_as_1) == pytest.approx((3 / 6, 4 / 6))
        assert made.complete is False

    async def test_service_gets_a_request_for_each(
        self, artifacts: RunArtifacts, service: ScriptedService
    ) -> None:
        """Each repeat is a request of its own, under a run id of its own."""
        fill(artifacts)
        runner = FakeRunner(service.url)
        made = await score(runner, artifacts, url=service.url)
        await runner.aclose()
        bodies = [body for path, body in service.bodies if path == "/final-score/"]
        assert [[*body["evaluation_results"]] for body in bodies] == [TASKS] * 3
        assert len(made.repeats) == 3

    async def test_own_score_that_asks_has_the_ids(
        self, artifacts: RunArtifacts, service: ScriptedService
    ) -> None:
        """A score() that lets the framework ask the service does so under the same run ids."""
        fill(artifacts)
        runner = Asks(service.url)
        runner.EVALUATION_API = "v1"
        made = await score(runner, artifacts, url=service.url)
        await runner.aclose()
        asked = [body["run_id"] for path, body in service.bodies if path == "/v1/score"]
        assert asked == ["run-1", "run-1-repeat-2", "run-1-repeat-3"]
        assert [each.metadata["of"] for each in made.repeats] == asked
        assert made.metadata == {"of": None}

    async def test_failed_request_leaves_no_score(
        self, artifacts: RunArtifacts, service: ScriptedService
    ) -> None:
        """A service that fails for one repeat leaves no score, and the run id as it was."""
        fill(artifacts)
        runner = FakeRunner(service.url)
        answer = (200, {"tasks_evaluated": TASKS, "final_score": 50.0, "metadata": {}})
        service.answers["/final-score/"] = [answer, (403, {"detail": "no"})]
        with pytest.raises(ServiceError):
            await score(runner, artifacts, url=service.url)
        await runner.aclose()
        assert runner.run_id == "run-1"
        assert not artifacts.final_score_path.exists()

    async def test_contradicting_mean_is_refused(self, artifacts: RunArtifacts) -> None:
        """A mean that contradicts the evaluations is not written."""
        fill(artifacts)
        with pytest.raises(BadResponseError, match="contradicts"):
            await score(Runner(score=(0, 0, 0)), artifacts)
        assert not artifacts.final_score_path.exists()


class TestTheHash:
    async def test_score_is_valid_while_evaluations_stay(self, artifacts: RunArtifacts) -> None:
        """A score is valid for these evaluations of these repeats, and no others."""
        fill(artifacts)
        made = await score(Runner(), artifacts)
        assert current_score(artifacts, hash_of_evals(artifacts, TASKS, 3)) == made
        for repeats in (1, 2, 4):
            assert current_score(artifacts, hash_of_evals(artifacts, TASKS, repeats)) is None
        evaluate(artifacts, "t1", 2, 1.0)
        assert current_score(artifacts, hash_of_evals(artifacts, TASKS, 3)) is None

    def test_order_of_reading_does_not_matter(self, artifacts: RunArtifacts) -> None:
        """The hash is the same by task and by repeat, and whichever repeat is first."""
        fill(artifacts)
        orders = [
            [(task_id, repeat) for repeat in (1, 2, 3) for task_id in TASKS],
            [(task_id, repeat) for task_id in TASKS for repeat in (1, 2, 3)],
            [(task_id, repeat) for repeat in (3, 1, 2) for task_id in TASKS],
        ]
        hashes: set[str] = set()
        for order in orders:
            digest = EvalsDigest()
            for task_id, repeat in order:
                digest.add(TaskFiles(artifacts, task_id, repeat))
            hashes.add(digest.hexdigest())
        assert hashes == {hash_of_evals(artifacts, TASKS, 3)}

    def test_swapped_repeats_change_it(self, artifacts: RunArtifacts) -> None:
        """Results that change places between two repeats change the hash."""
        fill(artifacts)
        before = hash_of_evals(artifacts, TASKS, 3)
        for repeat, value in ((2, 1.0), (3, 0.0)):
            evaluate(artifacts, "t2", repeat, value)
        assert hash_of_evals(artifacts, TASKS, 3) != before

    def test_hash_of_one_repeat_is_as_ever(self, artifacts: RunArtifacts) -> None:
        """The hash of a run without repeats is that of earlier versions."""
        fill(artifacts, 1)
        content = b"".join(
            task_id.encode() + artifacts.eval_path(task_id).read_bytes() for task_id in TASKS
        )
        assert hash_of_evals(artifacts, TASKS) == hashlib.sha256(content).hexdigest()


class TestMetadata:
    def mean_of(self, *metadata: dict[str, Any]) -> dict[str, Any]:
        scores = [
            ScoreResult(tasks_evaluated=[], final_score=0, metadata=each) for each in metadata
        ]
        return mean_score(scores).metadata

    @pytest.mark.parametrize(
        ("values", "mean"),
        [
            ((1, 2, 6), 3.0),
            ((0.5, 0.5, 0.5), 0.5),
            (("a", "a", "a"), "a"),
            (("a", "b", "a"), None),
            ((True, True, True), True),
            ((True, False, True), None),
            ((1, None, 3), None),
            ((None, None, None), None),
            (([1, 2], [3, 4], [5, 6]), [3.0, 4.0]),
            (([1], [1, 2], [1]), None),
            (([1], [1], [1]), [1.0]),
            (({"n": 1, "x": "a"}, {"n": 2, "y": 1}, {"n": 3}), {"n": 2.0}),
            (({"n": 1}, [1], 1), None),
            ((10**400, 10**400, 10**400), 10**400),
            ((10**400, 1, 1), None),
            ((1e300, 1e300, -1e300), None),
        ],
    )
    def test_mean_has_the_shape_of_each(self, values: tuple[Any, ...], mean: object) -> None:
        """Numbers become their mean, and other values stay where all have the same."""
        found = self.mean_of(*({"x": value} for value in values))
        assert found == {"x": mean}
        assert repr(found["x"]) == repr(mean)

    def test_each_repeat_keeps_its_own(self) -> None:
        """The metadata of each repeat is kept beside the means."""
        scores = [
            ScoreResult(tasks_evaluated=[f"t{n}"], final_score=n, metadata={"n": n}) for n in (1, 2)
        ]
        made = mean_score(scores)
        assert [(each.repeat, each.metadata) for each in made.repeats] == [
            *((1, {"n": 1}), (2, {"n": 2})),
        ]
        assert made.tasks_evaluated == ["t1", "t2"]
        assert made.final_score == 1.5

    @pytest.mark.parametrize("seed", range(3))
    def test_final_score_is_the_mean(self, seed: int) -> None:
        """The final score is the mean of those of the repeats, to the last digit."""
        values = [Random(seed).uniform(0, 100) for _ in range(7)]
        scores = [ScoreResult(tasks_evaluated=[], final_score=value) for value in values]
        assert mean_score(scores).final_score == pytest.approx(sum(values) / 7, rel=1e-15)
