"""The fields of a run's tasks, which the commands that read runs group by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from benchmark_runner.cli.inspection import inspect_runs
from benchmark_runner.errors import DatasetError
from tests.fakes import make_settings

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject
    from tests.scripted_service import ScriptedService

SETTINGS = make_settings(
    "runner.benchmark:SampleRunner",
    grader="runner.grader:grade",
    default_dataset_file="data/validation.json",
    default_service_url="local",
)
TASKS: list[dict[str, Any]] = [
    {"id": "t1", "question": "say one", "answer": "one", "about": {"topic": "numbers"}},
    {"id": "t2", "question": "say a", "answer": "a", "about": {"topic": "letters"}},
]
TOPICS = {"t1": "numbers", "t2": "letters"}


def groups(name: str = "about.topic") -> dict[str, str]:
    inspection = inspect_runs(SETTINGS, None)
    return inspection.task_fields(inspection.open("r1"), [name]).group_of(name)


@pytest.mark.parametrize("source", [[], ["--dataset-name", "validation"]], ids=["file", "service"])
def test_tasks_are_grouped_by_a_field(project: RunnerProject, source: list[str]) -> None:
    """Tasks are grouped by a field of a file or of the service."""
    project.write_tasks(TASKS)
    project.run("run", "--run-id", "r1", *source)

    assert groups() == TOPICS


def test_listing_service_is_asked_again(project: RunnerProject, scripted: ScriptedService) -> None:
    """The service that listed the tasks is asked again."""
    path = "/v1/datasets/remote/tasks"
    shown = [{name: task[name] for name in ("id", "question", "about")} for task in TASKS]
    scripted.answers[path] = (200, {"dataset": "remote", "tasks": shown})
    ran = project.run(
        *("run", "--run-id", "r1", "--dataset-name", "remote", "--service-url", scripted.url)
    )
    assert ran.code == 0, ran.err
    before = scripted.paths().count(path)

    assert groups() == TOPICS
    assert scripted.paths().count(path) == before + 1


def test_missing_dataset_is_named(project: RunnerProject) -> None:
    """A dataset that does not exist any more is an error."""
    project.write_tasks(TASKS)
    project.run("run", "--run-id", "r1")
    project.dataset.unlink()

    with pytest.raises(DatasetError, match="no such file"):
        groups()
