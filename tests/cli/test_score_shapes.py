"""The shape in which a run is submitted for its score: the one that agrees with the grades."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.cli.summing_service import TASKS, SummingService

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

    from tests.cli.conftest import Ended, RunnerProject

LINE = 'SCORE_SUBMISSION = "result"'


@pytest.fixture
def summing(project: RunnerProject, serve_app: Callable[[ASGIApp], str]) -> SummingService:
    """A service on a loopback port, one of whose six answers is wrong."""
    service = SummingService(wrong={"t3"})
    service.url = serve_app(service.app())
    project.write_tasks(TASKS)
    return service


@pytest.fixture
def run(project: RunnerProject, summing: SummingService) -> Callable[..., Ended]:
    def run_command(command: str = "run", *flags: str) -> Ended:
        return project.run(command, "--run-id", "r1", "--service-url", summing.url, *flags)

    return run_command


@pytest.mark.parametrize("api", ["legacy", "v1"])
@pytest.mark.parametrize(
    ("mode", "score"), [("bare", 5 / 6), ("swe", 500 / 6), ("terminal", 500 / 6), ("strict", 5 / 6)]
)
def test_score_is_true_whatever_is_read(
    project: RunnerProject,
    summing: SummingService,
    run: Callable[..., Ended],
    mode: str,
    score: float,
    api: str,
) -> None:
    """A service that reads bare results gives the true score by both APIs."""
    summing.mode = mode
    project.set_in_class(f'EVALUATION_API = "{api}"')
    ended = run()
    assert ended.code == 0, ended.err
    assert f"Score    {score:.4g}" in ended.out
    assert (LINE in ended.out) is (api == "legacy")
    assert ("in percent" in ended.out) is (score > 1)
    written = project.read("r1", "final_score.json")
    assert written["final_score"] == pytest.approx(score)
    assert written["mean"] == pytest.approx(5 / 6)
    assert written["score_submission"] == ("result" if api == "legacy" else "envelope")
    assert written["score_api"] == api


@pytest.mark.parametrize(
    ("wrong", "score", "shape"),
    [({"t3"}, 5 / 6, "result"), ({task["id"] for task in TASKS}, 0, "envelope")],
    ids=["one", "all"],
)
def test_zero_of_unknown_scores_is_checked(
    project: RunnerProject,
    summing: SummingService,
    run: Callable[..., Ended],
    wrong: set[str],
    score: float,
    shape: str,
) -> None:
    """A 0 that no task's own score confirms is taken if the other shape has no score, either."""
    summing.mode, summing.wrong = "custom", wrong
    assert run().code == 0
    written = project.read("r1", "final_score.json")
    assert written["final_score"] == pytest.approx(score)
    assert written["score_submission"] == shape
    assert len(summing.submitted) == 2


def test_envelopes_that_agree_are_sent_once(
    project: RunnerProject, summing: SummingService, run: Callable[..., Ended]
) -> None:
    """A service that reads envelopes is asked once, and no line is to be set."""
    summing.reads = "envelope"
    ended = run()
    assert ended.code == 0
    assert "SCORE_SUBMISSION" not in ended.out
    assert len(summing.submitted) == 1
    assert project.read("r1", "final_score.json")["score_submission"] == "envelope"


@pytest.mark.parametrize("wrong", [{"t0"}, {task["id"] for task in TASKS}], ids=["one", "all"])
def test_set_shape_is_sent_at_once(
    project: RunnerProject, summing: SummingService, run: Callable[..., Ended], wrong: set[str]
) -> None:
    """With SCORE_SUBMISSION = "result" bare results are sent, null for what has none."""
    summing.wrong = wrong
    project.set_in_class(LINE)
    project.write_tasks([*TASKS[:5], {"id": "t5", "question": "out-of-turns"}])
    ended = run()
    assert ended.code == 0
    (submitted,) = summing.submitted
    assert submitted["t1"]["pass_percentage"] == float("t1" not in wrong)
    assert submitted["t5"] is None


def test_score_of_nothing_right_is_no_contradiction(
    summing: SummingService, run: Callable[..., Ended]
) -> None:
    """If no answer is right, a score of 0 is true and asked for once."""
    summing.wrong = {task["id"] for task in TASKS}
    ended = run()
    assert ended.code == 0
    assert "Score    0 " in ended.out
    assert len(summing.submitted) == 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((200, {"tasks_evaluated": ["t0"], "final_score": 0}), "the score is 0, while the mean"),
        ((200, {"tasks_evaluated": [], "final_score": 0.7}), "the score is 0.7, of none of"),
        (
            (200, {"tasks_evaluated": ["x"], "final_score": 0.7}),
            "the score is 0.7, of none of",
        ),
    ],
)
@pytest.mark.parametrize("command", ["run", "evaluate", "score"])
def test_false_score_is_never_written(
    project: RunnerProject,
    summing: SummingService,
    run: Callable[..., Ended],
    answer: tuple[int, object],
    said: str,
    command: str,
) -> None:
    """If neither shape agrees, both answers are shown, and no score is written."""
    assert run("run", "--skip-eval").code == 0
    summing.answers["/final-score/"] = answer
    if command != "run":
        assert run("evaluate").code == 1
        summing.forget()
    ended = run(command)
    assert ended.code == 1
    assert f"asked with envelopes, {said}" in ended.err
    assert f"asked with bare results, {said}" in ended.err
    assert "SCORE_SUBMISSION" in ended.err
    assert len(summing.submitted) == 2
    assert not (project.results / "r1" / "final_score.json").exists()
    assert "No score yet" in ended.out


def test_both_errors_are_an_error(
    project: RunnerProject, summing: SummingService, run: Callable[..., Ended]
) -> None:
    """If both shapes are answered by an internal error, that is the error."""
    summing.answers["/final-score/"] = (500, {"detail": "in trouble"})
    ended = run("run", "--service-attempts", "2", "--service-retry-time", "1")
    assert ended.code == 1
    assert "ServiceUnavailableError" in ended.err
    assert "in trouble" in ended.err
    assert [*map(len, summing.submitted)] == [6, 6, 6]


class TestASetShape:
    @pytest.mark.parametrize(("shape", "other"), [("envelope", "result"), ("result", "envelope")])
    def test_wrong_shape_is_refused(
        self,
        project: RunnerProject,
        summing: SummingService,
        run: Callable[..., Ended],
        shape: str,
        other: str,
    ) -> None:
        """A set shape whose 0 is false is refused, and the line to set is named."""
        summing.mode, summing.reads = ("swe", other)
        project.set_in_class(f'SCORE_SUBMISSION = "{shape}"')
        if shape == "result":
            summing.answers["/final-score/"] = [
                (200, {"tasks_evaluated": ["t0"], "final_score": 0}),
                (200, {"tasks_evaluated": ["t0"], "final_score": 0.5}),
            ]
        ended = run()
        assert ended.code == 1
        assert f'Set SCORE_SUBMISSION = "{other}"' in ended.err
        assert not (project.results / "r1" / "final_score.json").exists()

    def test_zero_in_both_shapes_is_accepted(
        self, project: RunnerProject, summing: SummingService, run: Callable[..., Ended]
    ) -> None:
        """A 0 that the service gives in any shape is written where the shape is set."""
        summing.answers["/final-score/"] = (200, {"tasks_evaluated": ["t0"], "final_score": 0})
        assert run().code == 1
        project.set_in_class('SCORE_SUBMISSION = "envelope"')
        ended = run("score")
        assert ended.code == 0, ended.err
        assert "Score    0\n" in ended.out
        assert "The final score is not that mean" in ended.out
        assert project.read("r1", "final_score.json")["final_score"] == 0
        assert run("score").code == 0
        assert "Score    0\n" in project.run("status", "r1").out


class TestAnotherRequest:
    """Another shape or API asks for the score anew, and grades nothing again."""

    def test_other_shape_needs_no_grades(
        self, project: RunnerProject, summing: SummingService, run: Callable[..., Ended]
    ) -> None:
        """Another SCORE_SUBMISSION asks for the score only."""
        assert run().code == 0
        project.set_in_class(LINE)
        assert run("score").code == 0
        assert len(summing.submitted) == 2  # as it was already asked for so
        project.change_agent((LINE, 'SCORE_SUBMISSION = "envelope"'))
        assert run("score").code == 1
        summing.reads = "envelope"
        assert run("score").code == 0
        assert project.read("r1", "final_score.json")["score_submission"] == "envelope"
        assert summing.paths().count("/evaluate-response/") == 6

    @pytest.mark.parametrize(("first", "then"), [("legacy", "v1"), ("v1", "legacy")])
    def test_other_api_needs_no_grades(
        self,
        project: RunnerProject,
        summing: SummingService,
        run: Callable[..., Ended],
        first: str,
        then: str,
    ) -> None:
        """The score command asks by the other API with the grades that are there."""
        project.set_in_class(f'EVALUATION_API = "{first}"')
        assert run().code == 0
        project.change_agent((f'EVALUATION_API = "{first}"', f'EVALUATION_API = "{then}"'))
        ended = run("score")
        assert ended.code == 0, ended.err
        written = project.read("r1", "final_score.json")
        assert (written["score_api"], written["final_score"]) == (then, pytest.approx(5 / 6))
        assert run("run").code == 0  # nothing is left to do
        asked = summing.paths()
        assert asked.count("/evaluate-response/") + asked.count("/v1/evaluate") == 6

    def test_false_zero_of_before_is_replaced(
        self, project: RunnerProject, summing: SummingService, run: Callable[..., Ended]
    ) -> None:
        """A false 0 that an earlier version wrote is not shown, and replaced."""
        assert run().code == 0
        file = project.results / "r1" / "final_score.json"
        written = project.read("r1", "final_score.json")
        del written["score_submission"], written["score_api"]
        file.write_text(json.dumps({**written, "final_score": 0.0}))
        assert "Score " not in project.run("status", "r1").out
        (listed,) = project.run("runs", "--json").json["runs"]
        assert listed["final_score"] is None
        assert run("score").code == 0
        assert project.read("r1", "final_score.json")["final_score"] == pytest.approx(5 / 6)


class TestAnAuthorsOwnScore:
    """An author's score() that asks the service by itself has to agree, too."""

    @pytest.fixture
    def own(self, project: RunnerProject) -> RunnerProject:
        project.change_agent(
            (
                "import BenchmarkRunner, GenerationResult\n",
                "import BenchmarkRunner, GenerationResult, ScoreResult\n",
            )
        )
        project.set_in_class(
            "async def score(self, eval_results):\n"
            "        sent = {each.task_id: each.model_dump(mode='json') for each in eval_results}\n"
            "        found = await self._client.final_score(sent, dataset=self._dataset)\n"
            "        return ScoreResult(tasks_evaluated=[], final_score=found.final_score)"
        )
        return project

    def test_its_false_zero_is_refused(self, own: RunnerProject, run: Callable[..., Ended]) -> None:
        """A 0 of an author's score() that contradicts the grades is not written."""
        ended = run()
        assert ended.code == 1
        assert "score() contradicts the evaluations: the score is 0" in ended.err
        assert not (own.results / "r1" / "final_score.json").exists()

    def test_base_score_finds_the_shape(
        self, own: RunnerProject, run: Callable[..., Ended]
    ) -> None:
        """An author's score() that calls the default one gets the true score."""
        own.change_agent(
            ("found = await self._client.final_score(sent, dataset=self._dataset)", "pass"),
            (
                "return ScoreResult(tasks_evaluated=[], final_score=found.final_score)",
                "return await super().score(eval_results)",
            ),
        )
        assert run().code == 0
        assert own.read("r1", "final_score.json")["final_score"] == pytest.approx(5 / 6)


def test_left_out_tasks_are_named(
    project: RunnerProject, summing: SummingService, run: Callable[..., Ended]
) -> None:
    """A score that is of other tasks than the evaluated ones names those."""
    answer = {"tasks_evaluated": ["t0", "t1", "t2", "t9"], "final_score": 0.8}
    summing.answers["/final-score/"] = (200, answer)
    ended = run()
    assert ended.code == 0
    note = "The final score is of 3 of the 6 evaluated tasks, not of t3, t4, t5."
    assert note in ended.out
    assert "The final score is also of 1 task without a grade here: t9." in ended.out
    assert note in project.run("status", "r1").out
    assert note in project.run("status", "r1", "--json").json["score_notes"]
    page = project.root / "report.html"
    assert project.run("report", "r1", "--output", page).code == 0
    assert note in page.read_text()


@pytest.mark.parametrize("shape", ['"both"', "None", "[]"])
def test_unknown_shape_is_refused(
    project: RunnerProject, run: Callable[..., Ended], shape: str
) -> None:
    """An unknown SCORE_SUBMISSION is refused before anything runs."""
    project.set_in_class(f"SCORE_SUBMISSION = {shape}")
    ended = run()
    assert ended.code == 2
    assert 'use one of "auto", "envelope", "result"' in ended.err
    assert project.calls == []
