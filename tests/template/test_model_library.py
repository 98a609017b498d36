"""The sample agent of the model library, with the versions of it that a copy may install."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from importlib.util import module_from_spec, spec_from_file_location
from typing import TYPE_CHECKING, Any

import atif
import pytest

from benchmark_runner.trajectory import digest, read_trajectory

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from tests.conftest import Run
    from tests.template.conftest import CopyTemplate

#: All settings at once, as a port of another runner has them.
CONVERT = """
from benchmark_runner import build_llm_config
config = build_llm_config(
    max_tokens=5, temperature=0.5, top_p=0.5, top_k=5, reasoning_effort="low",
    custom_endpoint="http://localhost/v1", custom_api_key="k",
    chat_completions=True, disable_streaming=True,
)
plain = config.to_model_library()
assert (plain.native, plain.max_tokens, plain.custom_endpoint) == (False, 5, "http://localhost/v1")
for model in ("openai/gpt-4.1-mini-2025-04-14", "unknown/model", "model"):
    settings = config.to_model_library(model)
    assert settings.native
    assert settings.provider_config.use_completions
    assert not settings.provider_config.stream_completions
settings = config.to_model_library("anthropic/claude")
assert not settings.native
assert not settings.provider_config.stream_completions
assert settings.custom_api_key.get_secret_value() == "k"
"""


#: The tasks of the test: one with a tool, one without.
TASKS = ("sum-of-products", "acronym")
USAGE = {"input": 20, "output": 5, "reasoning": 7, "cache_read": 10, "cache_write": None}


def scripted_endpoint(project: Path) -> ModuleType:
    """Return the copy's own module of a scripted endpoint."""
    spec = spec_from_file_location("chat_server", project / "tests/chat_server.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["chat_server"] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check_run(project: Path, run: Run) -> None:
    """Kill a run in the middle, resume it to a score, and look at its trajectories."""
    endpoint = scripted_endpoint(project)
    held, reached = threading.Event(), threading.Event()

    def solve(body: dict[str, Any]) -> Any:
        if "light amplification" in str(body["messages"]):
            return endpoint.Answer("LASER")
        if not any(message["role"] == "tool" for message in body["messages"]):
            calls = [("calculate", {"expression": "17 * 23 + 9"}), ("calculate", "{")]
            return endpoint.Answer("Let me see.", calls=calls)
        reached.set()
        return endpoint.Answer(str(body["messages"][-2]["content"]), until=held)

    runner = project / ".venv/bin/my-bench-runner"
    start = (runner, "run", "--dataset-name", "validation", *TASKS, "--run-id", "r", "--model", "m")
    with endpoint.chat_server(solve) as server:
        first = subprocess.Popen(
            [*start, "--custom-endpoint", server.url],
            cwd=project, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert reached.wait(120), first.communicate()[0]
        first.kill()
        first.communicate()
        logs = project / "results/r/sum-of-products/agent_logs"
        found = read_trajectory(logs / "trajectory_atif.json")
        assert found is not None
        assert (digest(found).turns, digest(found).failed_calls) == (1, 1)
        assert digest(found).usage.model_dump() == USAGE
        held.set()
        printed = run(runner, "run", "--run-id", "r", cwd=project)
    assert "INFO" not in printed
    assert "Traceback" not in printed
    for task, turns in zip(TASKS, (2, 1), strict=True):
        folder = project / "results/r" / task
        generation = json.loads((folder / "generation.json").read_text())
        assert (generation["status"], generation["total_turns"]) == ("success", turns)
        assert json.loads((folder / "eval.json").read_text())["result"]["score"] == 1
        (path,) = folder.glob("agent_logs/**/trajectory_atif.json")
        atif.Trajectory.model_validate_json(path.read_bytes())
    killed = project / "results/r/sum-of-products/attempts/1"
    kept = killed / "agent_logs/trajectory_atif.json"
    atif.Trajectory.model_validate_json(kept.read_bytes())
    attempt = json.loads((killed / "generation.json").read_text())
    assert (attempt["total_turns"], attempt["usage"]) == (1, USAGE)
    shown = run(runner, "show", "r", "sum-of-products", "--trajectory", cwd=project)
    assert "calculate" in shown
    assert "FAILED" in shown
    assert "17 * 23 + 9" in shown


@pytest.mark.full
@pytest.mark.parametrize("version", ["oldest", "newest"])
def test_sample_works_with_each_model_library(
    version: str, copy_template: CopyTemplate, run: Run, tmp_path: Path
) -> None:
    """The sample works, killed and resumed, with the oldest and the newest version allowed."""
    project = copy_template(tmp_path / "my-bench", sample_agent="model-library")
    found = re.search(r'"(model-library)>=([\d.]+),', (project / "pyproject.toml").read_text())
    assert found is not None
    wanted = f"{found[1]}=={found[2]}" if version == "oldest" else found[1]
    run("uv", "venv", "--quiet", cwd=project)
    into = ("--python", ".venv/bin/python")
    run("uv", "pip", "install", "--quiet", *into, "--editable", ".", "pytest", wanted, cwd=project)
    python = project / ".venv/bin/python"
    run(python, "-c", CONVERT, cwd=project)
    assert "passed" in run(python, "-m", "pytest", "tests/test_benchmark.py", cwd=project)
    check_run(project, run)
