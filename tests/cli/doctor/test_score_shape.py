"""The shape of the score request that a service wants, which ``doctor`` finds by a known grade."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from benchmark_runner.cli.doctor import score_shape
from tests.cli.summing_service import TASKS, SummingService

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

    from tests.cli.conftest import RunnerProject

SCORE = "/final-score/"


@pytest.fixture
def service(serve_app: Callable[[ASGIApp], str]) -> SummingService:
    service = SummingService()
    service.url = serve_app(service.app())
    return service


@pytest.fixture
def evaluated(healthy: RunnerProject, service: SummingService) -> RunnerProject:
    """A project with a run that the service has evaluated."""
    healthy.write_tasks(TASKS)
    service.wrong = {"t0"}
    assert healthy.run("run", "--run-id", "r1", "--service-url", service.url).code == 0
    service.forget()
    return healthy


def remedy(project: RunnerProject, *flags: str) -> str:
    found = project.run("doctor", "--json", *flags).json["checks"]
    (check,) = [each for each in found if each["check"] == "service"]
    return check["remedy"] or ""


@pytest.mark.sampled(2)
@pytest.mark.parametrize("shape", ["result", "envelope"])
@pytest.mark.parametrize("line", ["auto", "other", "same"])
def test_line_to_set_is_named(
    evaluated: RunnerProject, service: SummingService, shape: str, line: str
) -> None:
    """The line is named where the service reads one shape only, and that is not the one set."""
    service.reads = shape
    other = "envelope" if shape == "result" else "result"
    setting = {"auto": "auto", "other": other, "same": shape}[line]
    evaluated.set_in_class(f'SCORE_SUBMISSION = "{setting}"')
    found = remedy(evaluated, "--service-url", service.url)
    if line == "same":
        assert found == ""
    else:
        assert f'set SCORE_SUBMISSION = "{shape}" in runner/benchmark.py' in found
    assert [[*sent] for sent in service.submitted] == [["t1"], ["t1"]]
    asked = {*service.paths()}
    assert not asked.intersection({"/evaluate-response/", "/v1/evaluate"})


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    "answer",
    [
        (404, {"detail": "Not Found"}),
        (200, {"tasks_evaluated": ["t1"], "final_score": 1.0}),
        (200, {"tasks_evaluated": ["t1"], "final_score": 0.0}),
        (500, {"detail": "Internal server error"}),
        (200, ["no score"]),
    ],
)
def test_other_answers_show_nothing(
    evaluated: RunnerProject, service: SummingService, answer: Any
) -> None:
    """Answers that are the same for both shapes, or no score, are no reason for advice."""
    service.answers[SCORE] = answer
    assert "SCORE_SUBMISSION" not in remedy(evaluated, "--service-url", service.url)


def test_slow_score_holds_nobody_up(
    evaluated: RunnerProject, service: SummingService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that takes too long to score shows nothing."""
    monkeypatch.setattr(score_shape, "_ANSWERED_WITHIN", 0.0)
    assert "SCORE_SUBMISSION" not in remedy(evaluated, "--service-url", service.url)


def test_nothing_is_asked_without_need(evaluated: RunnerProject, service: SummingService) -> None:
    """No score is asked for offline, of another service's grades, or where it does not matter."""
    remedy(evaluated, "--offline", "--service-url", service.url)
    assert service.asked == []
    for task_id in ("t1", "t2", "t3", "t4", "t5"):
        (evaluated.results / "r1" / task_id / "eval.json").unlink()
    remedy(evaluated, "--service-url", service.url)  # what is left counts 0
    evaluated.set_in_class('EVALUATION_API = "v1"')
    remedy(evaluated, "--service-url", service.url)
    assert SCORE not in service.paths()
