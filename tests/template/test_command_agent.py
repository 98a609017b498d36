"""The sample agent ``command``: a copy runs its program, or another one in its place."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import TYPE_CHECKING, Any

from tests.template.copies import run_result

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Run
    from tests.template.conftest import CopyTemplate


def use(project: Path, command: list[str]) -> None:
    """Start this command in the place of the one before."""
    file = project / "runner/benchmark.py"
    name, _, rest = file.read_text().partition("COMMAND: list[str | Path] = [")
    file.write_text(f"{name}COMMAND: list[str | Path] = {command!r}\n_ = [{rest}")


def start(run_id: str) -> list[str]:
    flags = ["--limit", "1", "--run-id", run_id, "--results-dir", "results"]
    return [".venv/bin/my-bench-runner", "run", *flags]


def read(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "generation.json").read_text())


def test_copy_with_a_command_is_scored(
    copy_template: CopyTemplate, run: Run, tmp_path: Path
) -> None:
    """A copy passes its tests, its program solves tasks, and one that is killed left its cost."""
    project = copy_template(tmp_path / "my-bench", sample_agent="command")
    run("uv", "sync", cwd=project)
    assert " passed" in run("make", "test", cwd=project)
    run("uv", "run", "my-bench-runner", "run", "--dataset-name", "validation", cwd=project)
    score = run_result(project / "results")
    assert score["complete"] is True
    assert 0.2 < float(str(score["final_score"])) < 0.8
    (results,) = (project / "results").iterdir()
    assert len([*results.glob("*/agent_logs/trajectory.json")]) == 16

    use(project, ["sh", "-c", "echo no luck >&2; exit 3"])
    run(*start("broken"), cwd=project, code=1)
    generation = read(project / "results/broken/sum-of-products")
    assert generation["error"].startswith("CommandError: sh ended with exit code 3")
    assert generation["error"].endswith("no luck")
    assert generation["metadata"]["command"] == {"exit_code": 3}

    steps = [{"step_id": 1, "source": "agent", "message": "Hm.", "metrics": {"cost_usd": 0.25}}]
    agent = {"name": "a", "version": "1"}
    (tmp_path / "steps").write_text(
        json.dumps({"schema_version": "ATIF-v1.8", "agent": agent, "steps": steps})
    )
    os.mkfifo(tmp_path / "recorded")
    record = f"cp {tmp_path}/steps {{log_dir}}/trajectory.json; echo > {tmp_path}/recorded"
    use(project, ["sh", "-c", f"{record}; sleep 1000"])
    with subprocess.Popen(start("killed"), cwd=project, start_new_session=True) as killed:
        assert (tmp_path / "recorded").read_text() == "\n"
        os.killpg(killed.pid, signal.SIGKILL)
    use(project, ["echo", "400"])
    run(*start("killed"), cwd=project)
    task = project / "results/killed/sum-of-products"
    assert read(task)["answer"] == "400"
    attempt = read(task / "attempts/1")
    assert (attempt["status"], attempt["cost"], attempt["total_turns"]) == ("error", 0.25, 1)
    assert (task / "attempts/1/agent_logs/trajectory.json").is_file()
