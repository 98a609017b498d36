"""Keys in the files of a run, put there before anybody knew them: no export has a byte of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.exports import EXPORTS, export, rewrite
from tests.cli.planted_secrets import PLANTED, no_secret_in

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject

#: One that could be the name of a class.
LIKE_A_CLASS = "hidden_key_of_17_letters"
#: The environment of an export.
ENVIRONMENT = {
    **{name: value for name, value in PLANTED.items() if name.endswith(("KEY", "PASSWORD"))},
    "MISTRAL_API_KEY": LIKE_A_CLASS,
    "SERVICE_HEADERS": f"x-gateway={PLANTED['SERVICE_HEADERS']}",
}
SECRETS = [value.removeprefix("x-gateway=") for value in ENVIRONMENT.values()]


def keyed(what: str) -> str:
    """A text with every key in it, plain and in JSON."""
    return f"{what} {' '.join(SECRETS)} {json.dumps(SECRETS)} after"


def _image(path: str) -> dict[str, Any]:
    return {"type": "image", "source": {"media_type": "image/png", "path": path}}


def trajectory() -> dict[str, Any]:
    """A trajectory with keys in each of its texts."""
    in_extra = {keyed("name"): keyed("extra"), "list": [keyed("item")]}
    call = {
        "tool_call_id": keyed("c1"),
        "function_name": keyed("bash"),
        "arguments": {keyed("argument"): [keyed("value"), {"deep": keyed("deeper")}]},
        "extra": in_extra,
    }
    image = _image(keyed("a.png"))
    seen = {"source_call_id": keyed("c1"), "content": keyed("result"), "extra": in_extra}
    parts = [{"type": "text", "text": keyed("part")}, image]
    steps: list[dict[str, Any]] = [
        {"source": "system", "message": keyed("system")},
        {"source": "user", "message": parts},
        {"source": "user", "message": [_image("seen.svg"), _image("seen.png")]},
        {
            "source": "agent",
            "message": keyed("agent"),
            "model_name": keyed("model"),
            "reasoning_content": keyed("reasoning"),
            "reasoning_effort": keyed("high"),
            "tool_calls": [call],
            "observation": {"results": [seen, {"content": parts}]},
            "extra": in_extra,
        },
    ]
    return {
        "schema_version": "ATIF-v1.8",
        "session_id": keyed("session"),
        "trajectory_id": keyed("trajectory"),
        "agent": {
            "name": keyed("agent"),
            "version": keyed("1"),
            "model_name": keyed("model"),
            "tool_definitions": [{keyed("tool"): keyed("definition")}],
            "extra": in_extra,
        },
        "steps": [{"step_id": place, **step} for place, step in enumerate(steps, start=1)],
        "notes": keyed("notes"),
        "extra": in_extra,
    }


def put_keys(name: str, content: dict[str, Any]) -> None:
    if content["failure"]:
        content["error"] = f"{LIKE_A_CLASS}: {keyed('no luck')}"
        content["failure"]["hint"] = keyed("hint")
    if name == "generation.json":
        texts = ("data", "answer", "question", "model", "stop_reason")
        content |= {text: keyed(text) for text in texts}
        content["metadata"] = {keyed("name"): keyed("metadata")}
    elif content["result"] is not None:
        content["result"] = {"score": 1.0, keyed("name"): keyed("result")}
        content["service_version"] = content["evaluator_version"] = keyed("version")


@pytest.fixture
def keyed_run(project: RunnerProject) -> RunnerProject:
    """A run with keys in every text of its files, of a failed attempt, too."""
    project.write_tasks(
        [
            {"id": "t1", "question": "say yes", "answer": "yes"},
            {"id": "t2", "question": "raise no luck", "answer": ""},
            {"id": "t3", "question": "say no", "answer": "refuse"},
        ]
    )
    project.write_grader(
        "def grade(task, response):\n"
        '    if task["answer"] == "refuse":\n'
        '        raise KeyError("no such rubric")\n'
        '    return {"score": 1.0, "reason": "as told"}\n'
    )
    for _ in range(2):
        project.run("run", "--run-id", "r1", "--repeats", "2")
    rewrite(project, put_keys)
    for logs in (project.results / "r1").rglob("agent_logs"):
        (logs / "trajectory.json").write_text(json.dumps(trajectory()))
        (logs / "traceback.log").write_text(keyed("Traceback"))
        (logs / "eval-traceback.log").write_text(keyed("Traceback"))
        (logs / "seen.svg").write_text(keyed("<svg>"))
        (logs / "seen.png").write_bytes(b"\x89PNG\0" + keyed("").encode())
    return project


def test_no_byte_of_a_key_is_exported(keyed_run: RunnerProject) -> None:
    """No byte of a key is in an export of any format, wherever in the run's files it is."""
    for arguments in EXPORTS:
        written = export(keyed_run, arguments, **ENVIRONMENT)

        assert any(b"***" in data for data in written.values()), arguments
        for name, data in written.items():
            no_secret_in(name, "a name")
            no_secret_in(data.decode(errors="replace"), name)


def test_no_byte_of_a_key_in_a_score_is_exported(project: RunnerProject) -> None:
    """No byte of a key in what the service said of a run is in an export."""
    project.run("run", "--run-id", "r1")
    path = project.results / "r1" / "final_score.json"
    score = json.loads(path.read_text())
    score["metadata"] = {keyed("name"): [keyed("said")]}
    score["service_version"] = keyed("version")
    path.write_text(json.dumps(score))

    for arguments in EXPORTS:
        for name, data in export(project, arguments, **ENVIRONMENT).items():
            no_secret_in(data.decode(), name)


def test_no_reference_answer_is_exported(project: RunnerProject) -> None:
    """A reference answer is in no export."""
    project.write_tasks([{"id": "t1", "question": "say no", "answer": "the-reference"}])
    project.run("run", "--run-id", "r1")

    for arguments in EXPORTS:
        for name, data in export(project, arguments).items():
            assert b"the-reference" not in data, name
