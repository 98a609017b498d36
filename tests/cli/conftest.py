"""A small runner project of its own for each test, run as a user runs it."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

import benchmark_runner
from tests.cli.interruption import Pipe
from tests.cli.planted_secrets import EchoingService, Planted
from tests.cli.trajectories import RECORDING_AGENT, Written
from tests.scripted_service import ScriptedService

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from starlette.types import ASGIApp

#: Where the runtime under test is, for processes that the tests start.
RUNTIME = Path(benchmark_runner.__file__).parents[1]
# The first word of a question says what the agent does with the rest.
BENCHMARK = """\
import asyncio
import os
import signal
from pathlib import Path

from benchmark_runner import BenchmarkRunner, GenerationResult

ROOT = Path(__file__).parents[1]


class SampleRunner(BenchmarkRunner):
    NAME = "sample"
    GENERATION_VERSION_ENV = "SAMPLE_GENERATION_VERSION"

    async def generate(self, task, model, llm_config=None, log_dir=None):
        with (ROOT / "calls.txt").open("a") as calls:
            calls.write(f"{task.id}\\n")
        word, _, rest = task.question.partition(" ")
        if (ROOT / "healed").exists():
            word = "say"
        match word:
            case "say":
                return GenerationResult(answer=rest)
            case "raise":
                raise ValueError(rest)
            case "time-out":
                raise TimeoutError
            case "out-of-turns":
                return GenerationResult(status="max_turns", answer=rest)
            case "wait":
                announce(task.id)
                await asyncio.Event().wait()
            case "cling":
                announce(task.id)
                while True:
                    try:
                        await asyncio.Event().wait()
                    except asyncio.CancelledError:
                        pass
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError(task.question)


def announce(task_id):
    if ready := os.environ.get("READY_FD"):
        os.write(int(ready), f"{task_id}\\n".encode())
"""
GRADER = """\
def grade(task, response):
    return {"pass_percentage": float(response == task["answer"])}
"""
CLI = """\
from benchmark_runner import make_cli

cli = make_cli("runner.benchmark:SampleRunner", {settings})
"""
SCRIPT = """\
#!{python}
import sys

from runner.cli import cli

sys.exit(cli())
"""
CLI_SETTINGS = {
    "grader": "runner.grader:grade",
    "default_model": "sample-model",
    "default_service_url": "local",
    "default_dataset_file": "data/validation.json",
}
TASKS = [
    {"id": "t3", "question": "say three", "answer": "three"},
    {"id": "t1", "question": "say one", "answer": "one"},
    {"id": "t2", "question": "say two", "answer": "something else"},
]
UNSET = (
    "BENCHMARK_API_KEY",
    "CUSTOM_API_KEY",
    "CUSTOM_ENDPOINT",
    "RESULTS_DIR",
    "SAMPLE_GENERATION_VERSION",
    "SERVICE_HEADERS",
    "SERVICE_URL",
    "UV_RUN_RECURSION_DEPTH",
    "VALS_API_KEY",
    "VALS_AUTH_KEY",
)


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object on standard output."""
        return json.loads(self.out)

    @property
    def resume_command(self) -> str:
        """The command that it says goes on."""
        found = [line for line in self.out.splitlines() if line.startswith("Resume ")]
        assert len(found) == 1, self.out
        return found[0].removeprefix("Resume ").strip()


@dataclass
class RunnerProject:
    """A runner project on disk, and ways to run it."""

    root: Path
    monkeypatch: pytest.MonkeyPatch
    settings: dict[str, Any] = field(default_factory=lambda: {**CLI_SETTINGS})

    def __post_init__(self) -> None:
        (self.root / "runner").mkdir(parents=True)
        (self.root / "runner" / "__init__.py").touch()
        (self.root / "pyproject.toml").write_text('[project]\nname = "sample-runner"\n')
        script = self.root / "bin" / "sample-runner"
        script.parent.mkdir()
        script.write_text(SCRIPT.format(python=sys.executable))
        script.chmod(0o755)
        self.write_agent(BENCHMARK)
        self.write_grader(GRADER)
        self.write_cli()
        self.write_tasks(TASKS)

    @property
    def script(self) -> Path:
        return self.root / "bin" / "sample-runner"

    @property
    def dataset(self) -> Path:
        return self.root / "data" / "validation.json"

    @property
    def results(self) -> Path:
        return self.root / "results"

    @property
    def calls(self) -> list[str]:
        """The tasks that ``generate()`` was called for."""
        file = self.root / "calls.txt"
        return file.read_text().split() if file.exists() else []

    def write_agent(self, text: str) -> None:
        (self.root / "runner" / "benchmark.py").write_text(text)

    def change_agent(self, *replacements: tuple[str, str]) -> None:
        text = (self.root / "runner" / "benchmark.py").read_text()
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        self.write_agent(text)

    def set_in_class(self, line: str) -> None:
        """Give the runner class one more line of its own."""
        self.change_agent(('    NAME = "sample"\n', f'    NAME = "sample"\n    {line}\n'))

    def write_grader(self, text: str) -> None:
        (self.root / "runner" / "grader.py").write_text(text)

    def write_cli(self, **changed: object) -> None:
        """Write ``runner/cli.py``; a setting of ``None`` is left out."""
        given = {name: value for name, value in {**self.settings, **changed}.items() if value}
        settings = ", ".join(f"{name}={value!r}" for name, value in given.items())
        (self.root / "runner" / "cli.py").write_text(CLI.format(settings=settings))

    def write_tasks(self, tasks: Sequence[Mapping[str, object]], name: str = "validation") -> None:
        self.dataset.parent.mkdir(exist_ok=True)
        self.dataset.write_text(json.dumps({"dataset_name": name, "tests": tasks}))

    def heal(self) -> None:
        """From now on the agent answers every task."""
        (self.root / "healed").touch()

    def read(self, *parts: str, results: Path | None = None) -> Any:
        return json.loads((results or self.results).joinpath(*parts).read_bytes())

    def files(self) -> set[str]:
        """The files below the results folder, locks left out."""
        found = [path for path in self.results.rglob("*") if path.is_file()]
        names = {str(path.relative_to(self.results)) for path in found}
        return {name for name in names if not name.endswith(".lock")}

    def run(self, *args: str | Path, **environment: str) -> Ended:
        """Call the command line in this process, from the project's folder."""
        for name in [name for name in sys.modules if name.partition(".")[0] == "runner"]:
            del sys.modules[name]
        importlib.invalidate_caches()
        before = dict(os.environ)
        try:
            app = importlib.import_module("runner.cli").cli
            result = CliRunner().invoke(app, [str(arg) for arg in args], env=environment)
        finally:
            # What a project's .env set must not reach the next test.
            os.environ.clear()
            os.environ.update(before)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ended(result.exit_code, result.stdout, result.stderr)

    def environment(self, **changed: str) -> dict[str, str]:
        """An environment as of a fresh shell."""
        return {
            "PATH": os.defpath,
            "HOME": str(self.root.parent),
            "PYTHONPATH": os.pathsep.join((str(RUNTIME), str(self.root))),
            "PYTHONDONTWRITEBYTECODE": "1",
            **changed,
        }

    def execute(
        self, *args: str | Path, cwd: Path | None = None, timeout: float = 30, **environment: str
    ) -> Ended:
        """Call the console script in a process of its own."""
        process = self.start(*args, cwd=cwd, **environment)
        return self.end(process, timeout=timeout)

    def start(
        self,
        *args: str | Path,
        cwd: Path | None = None,
        ready: int | None = None,
        **environment: str,
    ) -> subprocess.Popen[str]:
        """Start the console script; the agent writes to the descriptor ``ready`` when it waits."""
        if ready is not None:
            environment["READY_FD"] = str(ready)
        return subprocess.Popen(
            [sys.executable, str(self.script), *map(str, args)],
            cwd=cwd or self.root,
            env=self.environment(**environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=() if ready is None else (ready,),
            text=True,
        )

    def end(self, process: subprocess.Popen[str], timeout: float = 30) -> Ended:
        """Wait for a started command; one that does not end fails the test."""
        with process:
            try:
                out, err = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                out, err = process.communicate()
                pytest.fail(f"still running after {timeout:g} s:\n{out}\n{err}")
        assert "Traceback" not in err, err
        return Ended(process.returncode, out, err)

    def shell(self, command: str, cwd: Path | None = None, **environment: str) -> Ended:
        """Paste a command into a fresh shell that has the console script on its path."""
        path = os.pathsep.join((str(self.script.parent), os.defpath))
        process = subprocess.Popen(
            ["/bin/sh", "-c", command],
            cwd=cwd or self.root,
            env=self.environment(PATH=path, **environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        return self.end(process)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunnerProject]:
    """A runner project whose default run solves two of three tasks."""
    for name in UNSET:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    made = RunnerProject(tmp_path / "project", monkeypatch)
    monkeypatch.syspath_prepend(str(made.root))
    monkeypatch.setattr(sys, "argv", [str(made.script)])
    monkeypatch.chdir(made.root)
    yield made
    for name in [name for name in sys.modules if name.partition(".")[0] == "runner"]:
        del sys.modules[name]


@pytest.fixture
def scripted(serve_app: Callable[[ASGIApp], str]) -> ScriptedService:
    """A scripted service on a loopback port."""
    service = ScriptedService()
    service.url = serve_app(service.app())
    return service


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.close()


@pytest.fixture
def echoing_service(serve_app: Callable[[ASGIApp], str]) -> EchoingService:
    echoing = EchoingService()
    echoing.url = serve_app(echoing.app())
    return echoing


@pytest.fixture
def planted(project: RunnerProject, echoing_service: EchoingService) -> Planted:
    return Planted(project, echoing_service)


@pytest.fixture
def recorded(project: RunnerProject) -> RunnerProject:
    """A project whose agent records what it does."""
    project.write_agent(RECORDING_AGENT)
    project.write_tasks([{"id": "t1", "question": "42", "answer": "42"}])
    return project


@pytest.fixture
def written(project: RunnerProject) -> Written:
    """A run whose agent wrote a trajectory of its own; a test says which."""
    project.run("run", "--run-id", "r1", "t1")
    return Written(project)
