"""The version of a dataset at the service: recorded, shown, and never mixed with another one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.summing_service import TASKS, SummingService

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

    from tests.cli.conftest import Ended, RunnerProject


@pytest.fixture(params=["legacy", "v1"])
def moving(
    project: RunnerProject, serve_app: Callable[[ASGIApp], str], request: pytest.FixtureRequest
) -> SummingService:
    """A service with version 1.2.0 of its dataset, asked by either API."""
    service = SummingService(dataset_version="1.2.0", reads="envelope")
    service.url = serve_app(service.app())
    project.set_in_class(f'EVALUATION_API = "{request.param}"')
    return service


@pytest.fixture
def run(project: RunnerProject, moving: SummingService) -> Callable[..., Ended]:
    def run_command(command: str = "run", *flags: str, run_id: str = "r1") -> Ended:
        return project.run(command, "--run-id", run_id, "--service-url", moving.url, *flags)

    return run_command


LISTED = ("--dataset-name", "validation")


def move_with_evaluation(number: int, service: SummingService) -> list[str]:
    """Have the version move within that evaluation; return the ids of the evaluated tasks."""
    grade, graded = service.grade, list[str]()

    def grade_and_move(task_id: str) -> object:
        graded.append(task_id)
        service.dataset_version = "1.2.0" if len(graded) < number else "2.0.0"
        return grade(task_id)

    service.grade = grade_and_move  # pyright: ignore[reportAttributeAccessIssue]
    return graded


@pytest.mark.parametrize("command", ["run", "evaluate", "score"])
def test_other_version_is_refused(
    project: RunnerProject, moving: SummingService, run: Callable[..., Ended], command: str
) -> None:
    """A version that moved between two commands is refused until all is evaluated again."""
    moving.failing = {"t3", "t4", "t5"}
    assert run("run", *LISTED).code == 1
    assert project.read("r1", "run_config.json")["dataset_version"] == "1.2.0"
    assert project.read("r1", "t0", "eval.json")["dataset_version"] == "1.2.0"

    moving.failing, moving.dataset_version = set(), "2.0.0"
    moving.wrong = {task["id"] for task in TASKS}  # by the other version's references
    ended = run(command)
    assert ended.code == 2
    assert "evaluated with dataset version 1.2.0, not 2.0.0" in ended.err
    assert "evaluate --run-id r1" in ended.err
    assert "--regrade" in ended.err
    assert not (project.results / "r1" / "final_score.json").exists()

    assert run("evaluate", "--regrade").code == 0
    score = project.read("r1", "final_score.json")
    assert (score["final_score"], score["dataset_version"]) == (0, "2.0.0")
    assert project.read("r1", "run_config.json")["dataset_version"] == "2.0.0"
    assert len(project.calls) == 6


def test_move_midway_gives_no_score(
    project: RunnerProject, moving: SummingService, run: Callable[..., Ended]
) -> None:
    """A version that moves while a run is evaluated gives no score of either."""
    move_with_evaluation(4, moving)
    ended = run("run", *LISTED)
    assert ended.code == 1
    assert "dataset version 1.2.0" in ended.err
    assert "dataset version 2.0.0" in ended.err
    assert not (project.results / "r1" / "final_score.json").exists()
    assert "6 not evaluated" in ended.out

    resumed = project.shell(ended.resume_command)
    assert resumed.code == 0, resumed.err
    assert project.read("r1", "t0", "eval.json")["dataset_version"] == "2.0.0"
    assert project.read("r1", "final_score.json")["final_score"] == 1
    assert len(project.calls) == 6


def test_move_stops_further_evaluations(
    project: RunnerProject,
    moving: SummingService,
    run: Callable[..., Ended],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A version that moved is noticed while evaluations go on, and no more are paid for."""
    monkeypatch.setattr("benchmark_runner._run.grader_watch._EVERY", 0)
    graded = move_with_evaluation(3, moving)
    ended = run("run", *LISTED, "--eval-parallelism", "1")
    assert ended.code == 1
    assert "dataset version 2.0.0" in ended.err
    assert len(graded) == 3
    assert project.read("r1", graded[0], "eval.json")["dataset_version"] == "1.2.0"
    assert not (project.results / "r1" / graded[2] / "eval.json").exists()


def test_version_is_shown(
    project: RunnerProject, moving: SummingService, run: Callable[..., Ended]
) -> None:
    """Whatever shows a run shows the version of its dataset."""
    run("run", *LISTED, run_id="r2")
    ended = run("run", *LISTED)
    assert ended.code == 0
    assert "  tasks    6, from dataset validation, version 1.2.0\n" in ended.out
    assert "Dataset  validation 1.2.0\n" in ended.out
    page = project.root / "report.html"
    assert project.run("report", "r1", "--output", page).code == 0
    assert "1.2.0" in page.read_text()
    for command in (["status", "r1"], ["show", "r1", "t0"], ["runs"], ["compare", "r1", "r2"]):
        assert "1.2.0" in project.run(*command).out, command
    for command in (["runs", "--json"], ["status", "r1", "--json"], ["export", "r1"]):
        assert "1.2.0" in project.run(*command).out, command
    assert run("run", "--json").json["dataset_version"] == "1.2.0"
    assert project.run("show", "r1", "t0", "--json").json["dataset_version"] == "1.2.0"


def test_embedded_service_has_no_version(project: RunnerProject) -> None:
    """The embedded service's dataset has no version but its own hash, which is in its own."""
    assert project.run("run", "--run-id", "r1").code == 0
    assert project.read("r1", "run_config.json")["dataset_version"] is None
    assert project.read("r1", "t1", "eval.json")["dataset_version"] is None


def test_other_major_is_not_compared(
    project: RunnerProject, moving: SummingService, run: Callable[..., Ended]
) -> None:
    """Runs of another major version of the dataset are not comparable."""
    run("run", *LISTED)
    moving.dataset_version = "2.0.0"
    run("run", *LISTED, run_id="r2")
    ended = project.run("compare", "r1", "r2", "--json")
    assert ended.json["verdict"] == "not_comparable"
    (about,) = [each["text"] for each in ended.json["obstacles"]]
    assert about == "A was evaluated with dataset version 1.2.0, B with 2.0.0"
