"""A runner whose agent does nothing, and its commands as processes that are measured."""

from __future__ import annotations

import atexit
import compileall
import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import benchmark_runner
from benchmark_runner._concurrency.thread_pool import THREADS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

REPOSITORY = Path(__file__).parents[2]
RUNTIME = Path(benchmark_runner.__file__).parent

_BENCHMARK = """\
import asyncio
import os

from benchmark_runner import BenchmarkRunner, GenerationResult

SECONDS = float(os.environ.get("GENERATE_SECONDS", "0"))


class NoOpRunner(BenchmarkRunner):
    NAME = "no-op"

    async def generate(self, task, model, llm_config=None, log_dir=None):
        if SECONDS:
            await asyncio.sleep(SECONDS)
        return GenerationResult(answer="an answer")
"""
_CLI = """\
from benchmark_runner import make_cli

cli = make_cli("runner.benchmark:NoOpRunner", default_model="no-op")
"""
#: Starts a program from a small process: to Linux, what starts one had its memory, too.
_STARTER = """\
import json, os, sys, time
began = time.perf_counter()
process = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
_, status, used = os.wait4(process, 0)
seconds = time.perf_counter() - began
with open(sys.argv[1], "w") as measured:
    json.dump([os.waitstatus_to_exitcode(status), seconds, used.ru_maxrss], measured)
"""
_SCRIPT = """\
import sys

from runner.cli import cli

sys.exit(cli())
"""


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ran.

    Attributes:
        seconds: From its start to its end.
        peak_mb: The most memory that it had at a time.
        out: What it printed.
    """

    seconds: float
    peak_mb: float
    out: str


@dataclass(frozen=True, slots=True)
class Project:
    """A runner on disk."""

    root: Path

    @property
    def script(self) -> Path:
        """What an installed console script does."""
        return self.root / "script.py"

    def run_dir(self, run_id: str) -> Path:
        """Where a run is."""
        return self.root / "results" / run_id

    def write_agent(self, text: str) -> None:
        """Have another agent answer."""
        (self.root / "runner" / "benchmark.py").write_text(text)
        compileall.compile_dir(self.root, quiet=2)

    def write_tasks(self, count: int, text: str = "What is it?") -> Path:
        """Make a dataset of so many tasks."""
        file = self.root / f"{count}-tasks.jsonl"
        with file.open("w") as lines:
            for number in range(count):
                task = {"id": f"task-{number:06}", "question": text, "answer": "it"}
                lines.write(json.dumps(task) + "\n")
        return file

    def start(self, *args: str | Path, code: int = 0, **environment: str) -> Ran:
        """Run a command of the runner to its end, which must be the one that is expected."""
        return run([sys.executable, self.script, *args], self.root, code=code, **environment)

    def run(self, tasks: Path, run_id: str, url: str, *flags: str, **environment: str) -> Ran:
        """Run a dataset to a complete score."""
        where = ["--dataset-file", tasks, "--run-id", run_id, "--service-url", url]
        ran = self.start("run", *where, *flags, **environment)
        score = self.read(run_id, "final_score.json")
        with tasks.open() as lines:
            assert len(score["tasks_evaluated"]) == sum(1 for _ in lines)
        assert score["complete"] is True
        assert score["final_score"] == 1.0
        return ran

    def run_bare(self, tasks: Path, name: str, url: str, *flags: str) -> Ran:
        """Do the same work in a bare loop; it prints the seconds from its first task on."""
        if not self.run_dir("sample").exists():
            self.run(self.write_tasks(1), "sample", url)
        sample, out = next(self.run_dir("sample").glob("task-*")), self.run_dir(name)
        command = [sys.executable, "-m", "tests.benchmarks.bare", "--tasks", tasks, "--out", out]
        command += ["--generation", sample / "generation.json", "--eval", sample / "eval.json"]
        ran = run([*command, "--url", url, "--threads", f"{THREADS}", *flags], self.root)
        with tasks.open() as lines:
            assert len(list(out.glob("*/eval.json"))) == sum(1 for _ in lines)
        return ran

    def read(self, run_id: str, *path: str) -> Any:
        """What a file of a run holds."""
        return json.loads(self.run_dir(run_id).joinpath(*path).read_text())


@contextmanager
def project() -> Iterator[Project]:
    """Make one, byte-compiled as an installed one is.

    Always in a new folder, which is only taken away when this process ends: on ext4, what was
    just deleted multiplies the system time of what is made after it.
    """
    root = Path(tempfile.mkdtemp(prefix="benchmark-"))
    atexit.register(shutil.rmtree, root)
    (root / "runner").mkdir()
    (root / "runner" / "__init__.py").touch()
    (root / "runner" / "cli.py").write_text(_CLI)
    (root / "script.py").write_text(_SCRIPT)
    (root / "pyproject.toml").write_text('[project]\nname = "no-op-runner"\n')
    compileall.compile_dir(RUNTIME, quiet=2)
    made = Project(root)
    made.write_agent(_BENCHMARK)
    yield made


def run(command: Sequence[str | Path], folder: Path, *, code: int = 0, **environment: str) -> Ran:
    """Run a process to its end, and measure it.

    Raises:
        RuntimeError: it ended with another code; with what it said.
    """
    paths = os.pathsep.join(map(str, (folder, RUNTIME.parent, REPOSITORY)))
    environment = {**os.environ, "PYTHONPATH": paths, **environment}
    starter = [sys.executable, "-I", "-S", "-c", _STARTER]
    with (
        tempfile.TemporaryFile("w+") as out,
        tempfile.TemporaryFile("w+") as err,
        tempfile.NamedTemporaryFile("r") as measured,
    ):
        subprocess.run(
            [*starter, measured.name, *command],
            cwd=folder, env=environment, stdout=out, stderr=err, check=True,
        )  # fmt: skip
        ended, seconds, most = json.load(measured)
        out.seek(0)
        err.seek(0)
        if ended != code:
            raise RuntimeError(f"{command} ended with {ended}:\n{err.read()}")
        # In KiB, but on macOS in bytes.
        return Ran(seconds, most / (1024**2 if sys.platform == "darwin" else 1024), out.read())
