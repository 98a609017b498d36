"""What a run and ``doctor`` learn from the service before anything is paid for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject
    from tests.scripted_service import ScriptedService

TASK_LIST = "/v1/datasets/validation/tasks"
NO_PATH = (404, {"detail": "Not Found"})
TRIAL = (403, {"detail": "Trial tenants may only access approved /v1 endpoints (/v1/*)"})

#: The runner's API, what the service answers, and the line to set.
REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "task, legacy": (
        "legacy",
        {"/verify-task-ids": (400, {"detail": "Task ID not found: t3"})},
        "set dataset_name in the dataset file",
    ),
    "task, v1": (
        "v1",
        {"/verify-task-ids": (404, {"detail": "Task not found: t3"})},
        "set dataset_name in the dataset file",
    ),
    "no v1": ("v1", {TASK_LIST: NO_PATH}, 'Set EVALUATION_API = "legacy" in runner/benchmark.py'),
    "key for v1": (
        "legacy",
        {"/verify-task-ids": TRIAL},
        'Set EVALUATION_API = "v1" in runner/benchmark.py',
    ),
    "sandbox": (
        "legacy",
        {"/version": (200, {"eval_mode": "sandbox"})},
        'Set EVALUATION_API = "v1" in runner/benchmark.py',
    ),
    "no WebSocket": (
        "websocket",
        {},
        'set EVALUATION_API to "legacy" or "v1" in runner/benchmark.py',
    ),
    "ill": ("legacy", {"/health": (200, {"status": "down"})}, "the service is up"),
}
#: What the service answers where the run goes on.
ACCEPTED: dict[str, tuple[str, dict[str, Any]]] = {
    "trial tenant": ("v1", {"/verify-task-ids": TRIAL, "/version": TRIAL}),
    "sandbox by v1": ("v1", {"/version": (200, {"eval_mode": "sandbox"})}),
    "no check": ("legacy", {"/verify-task-ids": NO_PATH}),
    "no dataset": ("v1", {TASK_LIST: (404, {"detail": "Dataset not found: validation"})}),
    "no task list": ("v1", {TASK_LIST: (501, {"detail": "not implemented"})}),
}


@pytest.fixture(params=REFUSED)
def line(request: pytest.FixtureRequest, project: RunnerProject, scripted: ScriptedService) -> str:
    """The line to set for a runner and a service that do not fit."""
    api, scripted.answers, line = REFUSED[request.param]
    project.set_in_class(f'EVALUATION_API = "{api}"')
    return line


def test_refused_before_the_first_generation(
    project: RunnerProject, scripted: ScriptedService, line: str
) -> None:
    """A run that can't count is refused before the first generation, with the line to set."""
    ended = project.run("run", "--service-url", scripted.url)
    assert ended.code == 1
    assert line in ended.err
    assert project.calls == []
    assert not project.results.exists()
    assert not {"/evaluate-response/", "/v1/evaluate"} & {*scripted.paths()}


def test_doctor_finds_what_is_refused(
    project: RunnerProject, scripted: ScriptedService, line: str
) -> None:
    """Each refusal is found by doctor, with the line to set."""
    ended = project.run("doctor", "--json", "--service-url", scripted.url)
    assert ended.code == 1
    (found,) = [check for check in ended.json["checks"] if check["check"] == "service"]
    assert found["status"] == "fault"
    assert line in found["remedy"]


@pytest.mark.parametrize("case", ACCEPTED)
def test_inconclusive_answers_go_on(
    project: RunnerProject, scripted: ScriptedService, case: str
) -> None:
    """Answers that are no clear no do not stop the run."""
    api, scripted.answers = ACCEPTED[case]
    project.set_in_class(f'EVALUATION_API = "{api}"')
    ended = project.run("run", "--service-url", scripted.url)
    assert ended.code == 0, ended.err
    assert len(project.calls) == 3


GRADES_ITSELF = """\
    async def evaluate(self, task_id, generation):
        return EvalResult(task_id=task_id, status='evaluated', result=1.0)

    async def generate("""


def test_own_evaluate_may_grade_elsewhere(
    project: RunnerProject, scripted: ScriptedService
) -> None:
    """A runner that grades elsewhere is stopped by a refused key only."""
    project.change_agent(
        (
            "from benchmark_runner import BenchmarkRunner",
            "from benchmark_runner import BenchmarkRunner, EvalResult",
        ),
        ("    async def generate(", GRADES_ITSELF),
    )
    scripted.answers = {
        "/verify-task-ids": (400, {"detail": "Task ID not found: t3"}),
        "/version": (200, {"eval_mode": "sandbox"}),
    }
    assert project.run("run", "--service-url", scripted.url).code == 0
    scripted.answers["/verify-task-ids"] = (401, {"detail": "Unauthorized"})
    ended = project.run("run", "--service-url", scripted.url)
    assert ended.code == 1
    assert len(project.calls) == 3


def test_first_owed_task_is_asked_about(project: RunnerProject, scripted: ScriptedService) -> None:
    """A resume asks about a task that is owed, not about one that has its grade."""
    flags = ("--run-id", "r1", "--service-url", scripted.url)
    assert project.run("run", *flags, "t3").code == 0
    scripted.forget()
    assert project.run("run", *flags).code == 0
    assert scripted.requests[1] == "GET /verify-task-ids?dataset=validation&task_ids=t1"


def test_skip_eval_asks_nothing(project: RunnerProject, scripted: ScriptedService) -> None:
    """With --skip-eval the service is not asked, and nothing is refused."""
    scripted.answers["/verify-task-ids"] = (400, {"detail": "Task ID not found: t3"})
    assert project.run("run", "--service-url", scripted.url, "--skip-eval").code == 0
    assert scripted.asked == []
