"""What a start-up imports, in real processes: every module more is time that a person waits."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from pathlib import Path

#: All of ours that a command line may import before a command runs.
COMMAND_LINE = {
    "benchmark_runner",
    "benchmark_runner._run",
    "benchmark_runner.cli",
    "benchmark_runner.cli.app",
    "benchmark_runner.cli.commands",
    "benchmark_runner.cli.commands.compare",
    "benchmark_runner.cli.commands.doctor",
    "benchmark_runner.cli.commands.evaluate",
    "benchmark_runner.cli.commands.export",
    "benchmark_runner.cli.commands.import_",
    "benchmark_runner.cli.commands.plan",
    "benchmark_runner.cli.options",
    "benchmark_runner.cli.shortage",
    "benchmark_runner.cli.console",
    "benchmark_runner.cli.export_format",
    "benchmark_runner.cli.commands.report",
    "benchmark_runner.cli.commands.run",
    "benchmark_runner.cli.commands.runs",
    "benchmark_runner.cli.commands.score",
    "benchmark_runner.cli.commands.serve",
    "benchmark_runner._part",
    "benchmark_runner._start_state",
    "benchmark_runner._run.defaults",
    "benchmark_runner._run.flags",
    "benchmark_runner._run.request",
    "benchmark_runner._run.service_settings",
    "benchmark_runner.cli.commands.show",
    "benchmark_runner.cli.commands.status",
}
THE_AUTHORS = {"runner", "runner.cli"}

#: Typer with parameters of the kinds that ours has, and the small modules that ours is written
#: with: most of them Typer imports anyway, in one version or the other.
BARE = """\
import contextlib, dataclasses, importlib.util, os, pathlib, sys, textwrap, traceback, typing
from pathlib import Path
from typing import Annotated

import typer
import typer.core

cli = typer.Typer()


@cli.command()
def run(
    names: Annotated[list[str] | None, typer.Argument(help="Names.")] = None,
    path: Annotated[Path | None, typer.Option("--path", help="A file.")] = None,
    number: Annotated[int, typer.Option("--number", min=1, help="How many.")] = 10,
    seconds: Annotated[float, typer.Option("--seconds", min=0, help="How long.")] = 10.0,
    flag: Annotated[bool, typer.Option("--flag", help="Whether.")] = False,
) -> None:
    pass


cli.command("other")(run)
"""
CLI = """\
from benchmark_runner import make_cli

cli = make_cli("runner.benchmark:Runner", grader="runner.benchmark:grade")
"""

BENCHMARK = """\
from benchmark_runner import BenchmarkRunner, GenerationResult


class Runner(BenchmarkRunner):
    NAME = "sample"

    async def generate(self, task, model, llm_config=None, log_dir=None):
        return GenerationResult(answer="2")


def grade(task, response):
    return float(response == task["answer"])
"""

HELP = [
    ["--help"],
    *(
        [name, "--help"]
        for name in (
            *("run", "evaluate", "score", "serve", "doctor"),
            *("runs", "status", "show", "export", "compare", "report", "plan"),
        )
    ),
]
#: What the client of a service is built on.
NETWORK = {"aiohttp", "httpx"}
READERS = [["runs"], ["status", "r1"], ["show", "r1", "t1"]]

COMPLETIONS = {
    "bash": {"COMP_WORDS": "sample run --mod", "COMP_CWORD": "2"},
    "zsh": {"_TYPER_COMPLETE_ARGS": "sample run --mod"},
    "fish": {
        "_TYPER_COMPLETE_ARGS": "sample run --mod",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    },
}


class Ended(NamedTuple):
    """What a program printed, and what it had imported when it ended."""

    out: str
    modules: set[str]


def end_of(program: str, folder: Path, *arguments: str, **environment: str) -> Ended:
    """Run a program in a fresh interpreter, to a good end."""
    # Nobody's start-up files: what they import is not ours to answer for. And nothing that
    # reports the modules may import one itself.
    code = f"""\
import sys
sys.path[:] = {[str(folder), *sys.path]!r}
sys.argv[:] = {["sample", *arguments]!r}
before = set(sys.modules)
try:
    exec({program!r}, {{}})
except SystemExit as end:
    assert not end.code, end.code
print()
print(*(set(sys.modules) - before))
"""
    done = subprocess.run(
        [sys.executable, "-I", "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "TERM": "dumb", **environment},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    out, _, modules = done.stdout.rstrip("\n").rpartition("\n")
    return Ended(out, set(modules.split()))


def command_line(module: str) -> str:
    """What a console script does."""
    return f"import sys\nfrom {module} import cli\nsys.exit(cli())"


def third_parties(modules: set[str]) -> set[str]:
    known = {"benchmark_runner", "runner", *sys.stdlib_module_names}
    return {module for module in modules if module.partition(".")[0] not in known}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project as it is generated, and a bare Typer app beside it."""
    package = tmp_path / "runner"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "benchmark.py").touch()
    (package / "cli.py").write_text(CLI)
    (tmp_path / "bare.py").write_text(BARE)
    return tmp_path


class TestTheCommandLine:
    @pytest.mark.sampled(2)
    @pytest.mark.parametrize("arguments", HELP, ids=" ".join)
    def test_help_imports_only_commands_and_typer(
        self, project: Path, arguments: list[str]
    ) -> None:
        """The help imports the command modules and beyond them only what Typer imports."""
        like = ["run", "--help"] if len(arguments) > 1 else arguments
        bare = end_of(command_line("bare"), project, *like)
        ours = end_of(command_line("runner.cli"), project, *arguments)

        assert "Usage: sample" in bare.out
        assert "Usage: sample" in ours.out
        assert ours.modules - (bare.modules - {"bare"}) == COMMAND_LINE | THE_AUTHORS

    def test_version_imports_no_agent(self, project: Path) -> None:
        """--version imports no agent and nothing foreign beyond what Typer imports."""
        bare = end_of(command_line("bare"), project, "--help")
        ours = end_of(command_line("runner.cli"), project, "--version")

        assert "vals-benchmark-runner " in ours.out
        assert third_parties(ours.modules) <= bare.modules
        assert _not_of_others(ours.modules) == COMMAND_LINE | THE_AUTHORS

    @pytest.mark.sampled(1)
    @pytest.mark.parametrize("shell", COMPLETIONS)
    def test_completion_imports_no_agent(self, project: Path, shell: str) -> None:
        """Completion imports no agent and nothing foreign beyond what Typer imports."""
        asked = {"_SAMPLE_COMPLETE": f"complete_{shell}", **COMPLETIONS[shell]}
        for_bare = {name: text.replace("--mod", "--num") for name, text in asked.items()}
        bare = end_of(command_line("bare"), project, **for_bare)
        ours = end_of(command_line("runner.cli"), project, **asked)

        assert "--number" in bare.out
        assert "--model" in ours.out
        assert third_parties(ours.modules) <= bare.modules
        assert _not_of_others(ours.modules) == COMMAND_LINE | THE_AUTHORS

    def test_misspelt_agent_is_found_when_used(self, project: Path) -> None:
        """make_cli() does not import the agent; only a command does."""
        program = "from benchmark_runner import make_cli\nmake_cli('nowhere_at_all:Runner')"

        assert "benchmark_runner.cli" in end_of(program, project).modules


class TestTheReaders:
    @pytest.mark.sampled(2)
    @pytest.mark.parametrize("arguments", [*READERS, ["export", "r1", "--output", "table.csv"]])
    def test_reading_commands_need_no_network(
        self, project: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
    ) -> None:
        """Commands that read runs import no HTTP library; a run that grades here opens nothing."""
        monkeypatch.chdir(project)
        (project / "pyproject.toml").touch()
        (project / "runner" / "benchmark.py").write_text(BENCHMARK)
        (project / "tasks.json").write_text('[{"id": "t1", "question": "1 + 1?", "answer": "2"}]')
        run = ["run", "--model", "m", "--run-id", "r1", "--dataset-file", "tasks.json"]
        made = end_of(command_line("runner.cli"), project, *run, SERVICE_URL="local")
        read = end_of(command_line("runner.cli"), project, *arguments, SERVICE_URL="local")

        assert made.modules & NETWORK == {"httpx"}
        assert (project / "results" / "r1" / "final_score.json").is_file()
        assert "benchmark_runner.results.run_view" in read.modules
        assert not read.modules & NETWORK


class TestTheLibrary:
    def test_package_imports_nothing_else(self, tmp_path: Path) -> None:
        """Importing the package imports none of its modules."""
        bare = end_of("import importlib, typing", tmp_path)
        ours = end_of("import benchmark_runner", tmp_path)

        assert ours.modules - bare.modules == {"benchmark_runner"}

    def test_runner_class_needs_no_network(self, tmp_path: Path) -> None:
        """Importing BenchmarkRunner imports no HTTP library."""
        ours = end_of("from benchmark_runner import BenchmarkRunner", tmp_path)

        assert "benchmark_runner.base" in ours.modules
        assert not ours.modules & NETWORK

    def test_schemas_need_only_pydantic(self, tmp_path: Path) -> None:
        """Importing the schemas imports nothing foreign but pydantic."""
        pydantics = end_of("from pydantic import BaseModel\nclass Shape(BaseModel): pass", tmp_path)
        ours = end_of("from benchmark_runner import GenerationResult, Task", tmp_path)

        found = third_parties(ours.modules - pydantics.modules)
        assert {module for module in found if not module.startswith("pydantic")} == set()


def _not_of_others(modules: set[str]) -> set[str]:
    return {name for name in modules if name.partition(".")[0] in ("benchmark_runner", "runner")}
