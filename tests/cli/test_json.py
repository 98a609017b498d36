"""``--json``: one object on standard output, whatever happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Ended, RunnerProject
    from tests.scripted_service import ScriptedService


def only_object(ended: Ended) -> dict[str, Any]:
    """The one object; anything else on standard output does not parse, or is a second line."""
    assert len(ended.out.splitlines()) == 1
    document = ended.json
    assert document["schema"] == 1
    return document


def test_run_reports_its_result(project: RunnerProject) -> None:
    """The command run reports its result with every figure."""
    ended = project.execute("run", "--run-id", "r1", "--json")
    assert ended.code == 0
    document = only_object(ended)
    assert document["command"] == "run"
    assert document["run_id"] == "r1"
    assert document["results_dir"] == str(project.results)
    assert (document["local"], document["complete"]) == (True, True)
    assert document["final_score"] == pytest.approx(2 / 3)
    assert document["stderr"] == pytest.approx(1 / 3)
    assert document["interval"] == {
        "low": pytest.approx(0.20766, abs=1e-5),
        "high": pytest.approx(0.93851, abs=1e-5),
        "level": 0.95,
        "method": "wilson",
    }
    assert document["counts"] == {
        "total": 3,
        "attempted": 3,
        "scored": 3,
        "error": 0,
        "max_time": 0,
        "max_turns": 0,
    }
    assert document["resume_command"].endswith("run --run-id r1")
    assert "error" not in document
    assert "3/3 done" in ended.err


@pytest.mark.parametrize("command", ["evaluate", "score"])
def test_other_commands_report_the_same(project: RunnerProject, command: str) -> None:
    """The commands evaluate and score report the same."""
    project.run("run", "--run-id", "r1")
    document = only_object(project.run(command, "--run-id", "r1", "--json"))
    assert document["command"] == command
    assert document["final_score"] == pytest.approx(2 / 3)


def test_failed_tasks_are_grouped_with_their_reason(project: RunnerProject) -> None:
    """Failed tasks are grouped with their reason."""
    project.write_tasks([{"id": t, "question": "raise no luck", "answer": ""} for t in "ab"])
    ended = project.run("run", "--json")
    assert ended.code == 1
    document = only_object(ended)
    assert (document["complete"], document["final_score"]) == (False, None)
    assert document["counts"]["error"] == 2
    assert document["failures"] == [
        {
            "phase": "generate",
            "kind": "author_code",
            "retryable": True,
            "error": "ValueError: no luck",
            "hint": None,
            "task_ids": ["a", "b"],
        }
    ]


def test_a_limited_run_says_so(project: RunnerProject) -> None:
    """A limited run has its limit and the size of the dataset."""
    document = only_object(project.run("run", "--limit", "2", "--json"))
    assert (document["limit"], document["dataset_size"]) == (2, 3)


@pytest.mark.parametrize(
    ("args", "code", "kind"),
    [
        (["run", "--dataset-file", "missing.json"], 2, "DatasetError"),
        (["run", "t9"], 2, "UsageError"),
        (["run", "--run-id", ".."], 2, "UsageError"),
        (["run", "--parallelism", "0"], 2, "UsageError"),
        (["run", "--no-such-flag"], 2, "UsageError"),
        (["score"], 2, "UsageError"),
        (["score", "--run-id", "nothing"], 2, "UsageError"),
        (["evaluate", "--run-id", "nothing"], 2, "UsageError"),
        (["no-such-command"], 2, "UsageError"),
    ],
)
def test_refusal_has_type_message_and_hint(
    project: RunnerProject, args: list[str], code: int, kind: str
) -> None:
    """A refusal is an object with type, message and hint."""
    ended = project.run(*args, "--json")
    assert ended.code == code
    error = only_object(ended)["error"]
    assert error["type"] == kind
    assert error["message"]
    assert {"type", "message", "hint"} <= set(error)
    assert ended.err == ""


def test_a_refusal_names_its_command(project: RunnerProject) -> None:
    """A refusal names its command."""
    assert only_object(project.run("score", "--json"))["command"] == "score"
    assert only_object(project.run("run", "t9", "--json"))["command"] == "run"


def test_refusing_service_is_an_error(project: RunnerProject, scripted: ScriptedService) -> None:
    """A service that refuses is the error."""
    scripted.answers["/verify-task-ids"] = (401, {"detail": "Unauthorized"})
    ended = project.run("run", "--service-url", scripted.url, "--json")
    assert ended.code == 1
    assert only_object(ended)["error"]["type"] == "AuthenticationError"


def test_quota_error_is_beside_the_result(
    project: RunnerProject, scripted: ScriptedService
) -> None:
    """A used-up quota is an error beside the state of the run."""
    scripted.answers["/evaluate-response/"] = (429, {"detail": "used"}, {"retry-after": "9999"})
    ended = project.run("run", "--run-id", "r1", "--service-url", scripted.url, "--json")
    assert ended.code == 1
    document = only_object(ended)
    assert document["error"]["type"] == "QuotaExceededError"
    assert document["run_id"] == "r1"
    assert document["complete"] is False


def test_agents_output_does_not_spoil_the_json(project: RunnerProject) -> None:
    """Output of the agent does not spoil the JSON."""
    project.change_agent(
        ("        word, _, rest", "        print('thinking about', task.id)\n        word, _, rest")
    )
    ended = project.execute("run", "--json")
    assert ended.code == 0
    assert only_object(ended)["command"] == "run"
    assert "thinking about t1" in ended.err


@pytest.mark.parametrize("module", ["benchmark", "grader"])
def test_modules_output_does_not_spoil_the_json(project: RunnerProject, module: str) -> None:
    """Output of a module at import does not spoil the JSON."""
    file = project.root / "runner" / f"{module}.py"
    file.write_text(
        "import subprocess\n"
        "print('loading', __name__)\n"
        "subprocess.run(['/bin/echo', 'from a child'])\n" + file.read_text()
    )
    ended = project.execute("run", "--run-id", "r1", "--json")
    assert ended.code == 0
    assert only_object(ended)["command"] == "run"
    assert f"loading runner.{module}" in ended.err
    assert "from a child" in ended.err


def test_incomplete_run_is_an_error_of_score(project: RunnerProject) -> None:
    """A run that is incomplete is an error of score."""
    project.run("run", "--run-id", "r1", "t1")
    ended = project.run("score", "--run-id", "r1", "--json")
    assert ended.code == 1
    document = only_object(ended)
    assert document["error"]["type"] == "IncompleteRun"
    assert "2 not generated" in document["error"]["message"]
    assert "--force" in document["error"]["hint"]
    assert document["final_score"] is None
