"""The sample agent ``command``: a copy runs its program, or another one in its place."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.template.copies import run_result

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Run
    from tests.template.conftest import CopyTemplate


def test_copy_with_a_command_is_scored(
    copy_template: CopyTemplate, run: Run, tmp_path: Path
) -> None:
    """A copy passes its tests, its program solves tasks, and leaves a trajectory of each."""
    project = copy_template(tmp_path / "my-bench", sample_agent="command")
    run("uv", "sync", cwd=project)
    assert " passed" in run("make", "test", cwd=project)
    run("uv", "run", "my-bench-runner", "run", "--dataset-name", "validation", cwd=project)
    score = run_result(project / "results")
    assert score["complete"] is True
    assert 0.2 < float(str(score["final_score"])) < 0.8
    (results,) = (project / "results").iterdir()
    assert len([*results.glob("*/agent_logs/trajectory.json")]) == 16

    code = (project / "runner/benchmark.py").read_text()
    program = 'COMMAND: list[str | Path] = ["sh", "-c", "echo no luck >&2; exit 3"]\n_ = ['
    (project / "runner/benchmark.py").write_text(
        code.replace("COMMAND: list[str | Path] = [", program)
    )
    flags = ("--limit", "1", "--run-id", "broken", "--results-dir", "results")
    run("uv", "run", "my-bench-runner", "run", *flags, cwd=project, code=1)
    generation = json.loads(
        (project / "results/broken/sum-of-products/generation.json").read_text()
    )
    assert generation["error"].startswith("CommandError: sh ended with exit code 3")
    assert generation["error"].endswith("no luck")
    assert generation["metadata"]["command"] == {"exit_code": 3}
