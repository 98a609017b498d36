"""Calls ``doctor`` in a copy, and reads what it finds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import benchmark_runner

if TYPE_CHECKING:
    from tests.conftest import Run

RUNTIME = Path(benchmark_runner.__file__).parents[1]
#: Calls the console script without an installed project.
CALL = """\
import sys
{prelude}
sys.argv[0] = "my-bench-runner"
from runner.cli import cli
cli()
"""


def call_doctor(
    project: Path, *flags: str, prelude: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join((str(RUNTIME), str(project)))
    unwritten = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": path}
    return subprocess.run(
        [sys.executable, "-c", CALL.format(prelude=prelude), "doctor", *flags],
        cwd=project,
        env=os.environ | unwritten | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def examine(
    project: Path, *flags: str, prelude: str = "", **environment: str
) -> dict[str, dict[str, Any]]:
    done = call_doctor(project, "--json", *flags, prelude=prelude, **environment)
    assert done.stdout, done.stderr
    document = json.loads(done.stdout)
    assert done.returncode == (1 if document["faults"] else 0), done.stderr
    return {each["check"]: each for each in document["checks"]}


def drift_of(project: Path) -> dict[str, Any]:
    """The finding, and none other is wrong."""
    found = examine(project)
    others = {name for name, each in found.items() if each["status"] != "ok"} - {"drift"}
    assert others == set(), found
    return found["drift"]


def shell(command: str, cwd: Path, run: Run) -> None:
    run("sh", "-c", command, cwd=cwd)
