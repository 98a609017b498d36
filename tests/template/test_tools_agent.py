"""The sample agent with tools, run as a command against a scripted endpoint, and killed."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import atif
import pytest

from tests.template.copies import run_result

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Run
    from tests.template.conftest import CopyTemplate

pytestmark = pytest.mark.full

#: US dollars, which the endpoint asks for each request.
COST = 0.25
TASK = "nested-brackets"


@pytest.fixture(scope="module")
def installed(
    copy_template: CopyTemplate, run: Run, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A copy with this agent, and its .venv."""
    project = copy_template(tmp_path_factory.mktemp("tools") / "my-bench", sample_agent="tools")
    run("uv", "sync", "--quiet", cwd=project)
    return project


class Script:
    """The copy's own endpoint and script of a model, whose requests cost something."""

    def __init__(self, project: Path) -> None:
        tests = project / "tests"
        spec = importlib.util.spec_from_file_location(
            "copied_tests", tests / "__init__.py", submodule_search_locations=[str(tests)]
        )
        assert spec is not None
        sys.modules["copied_tests"] = importlib.util.module_from_spec(spec)
        self.server: Any = importlib.import_module("copied_tests.chat_server")
        self.model: Any = importlib.import_module("copied_tests.scripted_model")
        #: Set while the endpoint holds its answers after the first turn back.
        self.is_held = threading.Event()
        self.released = threading.Event()
        self.released.set()

    def answer(self, body: dict[str, Any]) -> object:
        answer = self.model.solve(body)
        answer.usage["cost"] = COST
        if len(body["messages"]) > 2 and not self.released.is_set():
            self.is_held.set()
            answer.until = self.released
        return answer


@pytest.fixture
def script(installed: Path) -> Iterator[Script]:
    yield Script(installed)
    for name in [name for name in sys.modules if name.startswith("copied_tests")]:
        del sys.modules[name]


def command(project: Path, results: Path, url: str, *more: str) -> list[str | Path]:
    where = ("--results-dir", str(results), "--custom-endpoint", url)
    return [project / ".venv/bin/my-bench-runner", "run", "--run-id", "r", *where, *more]


def check_trajectory(folder: Path) -> atif.Trajectory:
    """Return the trajectory of an attempt, which is a valid one."""
    text = (folder / "agent_logs/trajectory.json").read_text()
    return atif.Trajectory.model_validate_json(text)


@pytest.mark.parametrize("flags", [(), ("--chat-completions", "--disable-streaming")])
def test_tools_agent_runs_to_a_score(
    flags: tuple[str, ...], installed: Path, script: Script, run: Run, tmp_path: Path
) -> None:
    """The agent solves all sample tasks; its turns, tokens and cost are those of its steps."""
    with script.server.chat_server(script.answer) as server:
        run(*command(installed, tmp_path, server.url, *flags), cwd=installed)
    assert run_result(tmp_path)["final_score"] == 1
    task = tmp_path / "r" / TASK
    generation = json.loads((task / "generation.json").read_text())
    assert (generation["total_turns"], generation["cost"]) == (3, 3 * COST)
    assert generation["usage"] == {
        "input": 60, "output": 15, "reasoning": 21, "cache_read": 30, "cache_write": None,
    }  # fmt: skip
    trajectory = check_trajectory(task)
    assert [len(step.tool_calls or []) for step in trajectory.steps] == [0, 0, 2, 1, 0]
    runner = installed / ".venv/bin/my-bench-runner"
    shown = run(runner, "show", "r", TASK, "--results-dir", tmp_path, cwd=installed)
    assert "calculate" in shown


def test_killed_tools_agent_keeps_its_attempt(
    installed: Path, script: Script, run: Run, tmp_path: Path
) -> None:
    """After a SIGKILL and a resume the trajectory and the cost of the attempt are kept."""
    script.released.clear()
    with script.server.chat_server(script.answer) as server:
        first = command(installed, tmp_path, server.url, TASK)
        with subprocess.Popen(first, cwd=installed, start_new_session=True) as killed:
            assert script.is_held.wait(60)
            os.killpg(killed.pid, signal.SIGKILL)
        assert not (tmp_path / "r" / TASK / "generation.json").exists()
        script.released.set()
        run(*first, cwd=installed)
    task = tmp_path / "r" / TASK
    assert json.loads((task / "generation.json").read_text())["answer"] == "6"
    assert len(check_trajectory(task).steps) == 5
    attempt = task / "attempts/1"
    assert [step.source for step in check_trajectory(attempt).steps] == ["system", "user", "agent"]
    generation = json.loads((attempt / "generation.json").read_text())
    assert (generation["status"], generation["cost"]) == ("error", COST)
    assert generation["failure"]["kind"] == "cancelled"
