"""``--json``: one object on standard output, whatever happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Ended, RunnerProject
    from tests.fakes import ScriptedService


def only_object(ended: Ended) -> dict[str, Any]:
    """The one object; anything else on standard output does not parse, or is a second line."""
    assert len(ended.out.splitlines()) == 1
    document = ended.json
    assert document["schema"] == 1
    return document


def test_a_run_tells_how_it_stands(project: RunnerProject) -> None:
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
def test_the_other_commands_tell_the_same(project: RunnerProject, command: str) -> None:
    project.run("run", "--run-id", "r1")
    document = only_object(project.run(command, "--run-id", "r1", "--json"))
    assert document["command"] == command
    assert document["final_score"] == pytest.approx(2 / 3)


def test_failed_tasks_are_grouped_with_their_reason(project: RunnerProject) -> None:
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
def test_a_refusal_is_an_object_with_what_to_do_next(
    project: RunnerProject, args: list[str], code: int, kind: str
) -> None:
    ended = project.run(*args, "--json")
    assert ended.code == code
    error = only_object(ended)["error"]
    assert error["type"] == kind
    assert error["message"]
    assert {"type", "message", "hint"} <= set(error)
    assert ended.err == ""


def test_a_refusal_names_its_command(project: RunnerProject) -> None:
    assert only_object(project.run("score", "--json"))["command"] == "score"
    assert only_object(project.run("run", "t9", "--json"))["command"] == "run"


def test_a_service_that_refuses_is_told(project: RunnerProject, scripted: ScriptedService) -> None:
    scripted.answers["/verify-task-ids"] = (401, {"detail": "Unauthorized"})
    ended = project.run("run", "--service-url", scripted.url, "--json")
    assert ended.code == 1
    assert only_object(ended)["error"]["type"] == "AuthenticationError"


def test_a_used_up_quota_is_told_beside_how_the_run_stands(
    project: RunnerProject, scripted: ScriptedService
) -> None:
    scripted.answers["/evaluate-response/"] = (429, {"detail": "used"}, {"retry-after": "9999"})
    ended = project.run("run", "--run-id", "r1", "--service-url", scripted.url, "--json")
    assert ended.code == 1
    document = only_object(ended)
    assert document["error"]["type"] == "QuotaExceededError"
    assert document["run_id"] == "r1"
    assert document["complete"] is False


def test_an_agent_that_prints_does_not_spoil_the_object(project: RunnerProject) -> None:
    project.change_agent(
        ("        word, _, rest", "        print('thinking about', task.id)\n        word, _, rest")
    )
    ended = project.execute("run", "--json")
    assert ended.code == 0
    assert only_object(ended)["command"] == "run"
    assert "thinking about t1" in ended.err


@pytest.mark.parametrize("module", ["benchmark", "grader"])
def test_a_module_that_prints_when_it_is_imported_does_not_spoil_the_object(
    project: RunnerProject, module: str
) -> None:
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


def test_an_incomplete_run_that_is_not_scored_is_told(project: RunnerProject) -> None:
    project.run("run", "--run-id", "r1", "t1")
    ended = project.run("score", "--run-id", "r1", "--json")
    assert ended.code == 1
    document = only_object(ended)
    assert document["error"]["type"] == "IncompleteRun"
    assert "2 not generated" in document["error"]["message"]
    assert "--force" in document["error"]["hint"]
    assert document["final_score"] is None
