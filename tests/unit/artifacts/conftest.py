from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import benchmark_runner
from tests.unit.artifacts.system_calls import Calls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Hold = Callable[..., subprocess.Popen[str]]

HOLDER = """\
import sys
from pathlib import Path
from benchmark_runner.artifacts.locks import hold_lock

with hold_lock(Path(sys.argv[1]), "it", shared=sys.argv[2] == "shared"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "root"
    made.mkdir()
    return made


@pytest.fixture
def calls(root: Path, monkeypatch: pytest.MonkeyPatch) -> Calls:
    return Calls(monkeypatch)


@pytest.fixture
def hold() -> Iterator[Hold]:
    """Start a process that holds a lock until its standard input ends."""
    started: list[subprocess.Popen[str]] = []

    def hold(path: Path, *, shared: bool = False) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(path), "shared" if shared else "alone"],
            env={"PYTHONPATH": str(Path(benchmark_runner.__file__).parents[1])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        return process

    yield hold
    for process in started:
        process.kill()
        process.communicate()
