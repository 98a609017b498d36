"""The commands of the README and the pages, as a reader types them; only fetching is local."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from benchmark_runner import BenchmarkRunner, GenerationResult, Task
from tests.pages import DOCS, README, ROOT, blocks, commands, sections, sections_with_commands

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Run

REPOSITORY = "https://github.com/vals-ai/create-benchmark-runner"
RUN_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}")

#: Each section with commands; adopt.md and trajectories.md have tests of their own, authoring.md
#: those of a copy.
QUICK_START = (README, "Quick start")
USE = (README, "Use it")
UPDATE = (README, "Update it")
SET_UP = (README, "Work on this repository")
RUN_COMMANDS = (DOCS / "cli.md", "Run a benchmark")
ORCHESTRATE = (DOCS / "cli.md", "One task in one container")
FOR_AN_ORCHESTRATOR = (DOCS / "orchestrators.md", "Orchestrators")
SERVE = (DOCS / "cli.md", "A deployed benchmark service")
RESUME = (DOCS / "resuming.md", "See what a resume would do, and steer it")
REPEATS = (DOCS / "repeats.md", "Run repeats")
PLAN = (DOCS / "repeats.md", "Plan a study")
SETTLE = (DOCS / "repeats.md", "Stop when the question is settled")
COMPARE = (DOCS / "compare.md", "In CI")
REPORT = (DOCS / "report.md", "Reports")
EXPORT = (DOCS / "export.md", "Exporting results")
INSPECT_LOG = (DOCS / "export.md", "Logs of Inspect")
ATIF = (DOCS / "export.md", "Trajectories in ATIF")
OTEL = (DOCS / "export.md", "Traces for OpenTelemetry")
IMPORT = (DOCS / "import.md", "Importing answers")
UPDATE_AGAIN = (DOCS / "versioning.md", "Taking an update")
INSTALL = (DOCS / "versioning.md", "Install the runtime alone")
CREATE = (DOCS / "versioning.md", "Make a runner from a release")
FROM_A_CLONE = (DOCS / "versioning.md", "Make a runner from a clone")
ON_THE_INDEX = (ROOT / "runtime" / "README.md", "vals-benchmark-runner")
TESTED_HERE = [
    QUICK_START, USE, UPDATE, SET_UP, RUN_COMMANDS, ORCHESTRATE, FOR_AN_ORCHESTRATOR, SERVE, RESUME,
    REPEATS, PLAN, SETTLE, COMPARE, REPORT, EXPORT, INSPECT_LOG, ATIF, OTEL, IMPORT, UPDATE_AGAIN,
    INSTALL, CREATE, FROM_A_CLONE, ON_THE_INDEX,
]  # fmt: skip


def test_every_command_of_the_pages_is_tested() -> None:
    """Each section of the pages that has commands is tested."""
    elsewhere = {DOCS / name for name in ("adopt.md", "authoring.md", "trajectories.md")}
    pages = {README, ON_THE_INDEX[0], *DOCS.glob("*.md")} - elsewhere
    assert sections_with_commands(pages) == set(TESTED_HERE)


@pytest.fixture(scope="module")
def clone(template_repo: Path, tmp_path_factory: pytest.TempPathFactory, run: Run) -> Path:
    """A fresh clone of this repository, as git would give it."""
    clone = tmp_path_factory.mktemp("clone") / "create-benchmark-runner"
    run("git", "clone", "--quiet", template_repo, clone, cwd=template_repo)
    return clone


@dataclass(frozen=True)
class Copied:
    """A copy of the template, and what making and running it printed."""

    project: Path
    printed: str


@pytest.fixture(scope="module")
def copied(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Copied:
    """What the README's copy commands leave behind; tests add runs to it, and no more."""
    folder = tmp_path_factory.mktemp("copied")
    copy, *rest = commands(*QUICK_START)
    assert copy == "uvx copier copy gh:vals-ai/create-benchmark-runner my-bench"
    (from_clone,) = commands(*FROM_A_CLONE)
    from_clone = from_clone.replace("uvx copier copy", "copier copy --defaults")
    from_clone = from_clone.replace("/path/of/a/clone", shlex.quote(str(clone)))
    printed = shell([from_clone, *rest], folder)
    return Copied(folder / "my-bench", printed)


@pytest.fixture(scope="module")
def operated(copied: Copied) -> list[str]:
    """What the operator's commands print, one after the other; they leave the run `first`."""
    return [shell([command], copied.project) for command in commands(*RUN_COMMANDS)]


def shell(
    commands: list[str], folder: Path, codes: tuple[int, ...] = (0,), **environment: str
) -> str:
    """Run commands in one shell, which stops at the first that fails."""
    done = subprocess.run(
        ["bash", "-e", "-c", "\n".join(commands)],
        cwd=folder,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode in codes, done.stdout
    return done.stdout


def venv_with_pip(folder: Path) -> list[str]:
    """Return the commands for a new environment, in which pip is that of uv, for its cache."""
    venv = shlex.quote(str(folder))
    return [
        f"uv venv --quiet {venv}",
        f"export VIRTUAL_ENV={venv} PATH={venv}/bin:$PATH",
        f"printf '#!/bin/sh\\nexec uv pip \"$@\" --python %s\\n' {venv} > {venv}/bin/pip",
        f"chmod +x {venv}/bin/pip",
    ]


def serve(command: str, folder: Path) -> str:
    """Run a command that serves until it is stopped, on a free port; return its first line."""
    with subprocess.Popen(
        ["bash", "-c", f"exec {command} --port 0"], cwd=folder, stdout=subprocess.PIPE, text=True
    ) as serving:
        assert serving.stdout is not None
        first, _, last = (serving.stdout.readline() for _ in range(3))
        assert last == "Stop it with Ctrl-C\n"
        serving.send_signal(signal.SIGINT)
    return first


@pytest.mark.full
def test_demo_ends_in_a_score(clone: Path, tmp_path: Path) -> None:
    """The demo makes a runner, ends in a score and can be resumed."""
    command, _ = commands(*SET_UP)
    assert command == "pip install nox && nox -s demo"
    printed = shell([*venv_with_pip(tmp_path / "venv"), command], clone)
    assert re.search(r"Score +0\.\d+ ± ", printed)
    project = clone / "demo" / "my-bench"
    assert (project / "runner" / "benchmark.py").is_file()
    assert (project / ".venv" / "bin" / "my-bench-runner").is_file()
    resume = re.search(r"Resume +(.*)", printed)
    assert resume is not None
    assert "Resuming run" in shell([resume[1]], project)


def test_test_command_is_that_of_ci() -> None:
    """The command for the tests is the one that CI runs."""
    _, command = commands(*SET_UP)
    assert command == "pip install nox && nox -s tests"
    ci = (ROOT / ".ci" / "run").read_text()
    assert re.search(r"^nox -s tests\b", ci, re.MULTILINE)


def test_copy_install_and_run_end_in_a_score(copied: Copied) -> None:
    """Copying, installing and running end in a score."""
    run_id = re.search(r"Starting run (\S+)", copied.printed)
    assert run_id is not None
    score = copied.project / "results" / run_id[1] / "final_score.json"
    assert json.loads(score.read_text())["complete"] is True


def test_quick_start_prints_what_is_shown(copied: Copied) -> None:
    """The quick start prints what the README shows."""
    (shown,) = blocks(sections(README)["Quick start"], "")
    printed = RUN_ID.sub("RUN", copied.printed).splitlines()
    assert printed[-len(shown.splitlines()) :] == RUN_ID.sub("RUN", shown).splitlines()


def test_agent_and_grader_work() -> None:
    """The README's agent and grader work."""
    (code,) = blocks(sections(README)["What you write"], "python")

    async def my_agent(model: str, question: str) -> str:
        return f"{model} on {question}"

    names = {
        "BenchmarkRunner": BenchmarkRunner,
        "GenerationResult": GenerationResult,
        "my_agent": my_agent,
    }
    exec(code, names)
    runner = names["MyBenchRunner"](service_url="local")
    generation = asyncio.run(runner.generate(Task(id="t", question="Why?"), "M"))
    assert generation.answer == "M on Why?"
    assert names["grade"]({"id": "t", "answer": "42"}, " 42\n") == {"score": 1.0}


@pytest.mark.parametrize("page", [DOCS / "index.md", ROOT / "runtime" / "README.md"])
def test_short_example_makes_a_command_line(page: Path, tmp_path: Path) -> None:
    """The short example of a page makes a command line that runs."""
    (example,) = blocks(page.read_text(), "python")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "validation.json").write_text('[{"id": "t", "question": "hello"}]')
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "example.py").write_text(f"{example}\ncli()\n")
    run = [sys.executable, "example.py", "run", "--skip-eval", "--model", "shout", "--run-id", "R"]
    subprocess.run(run, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(tmp_path)}, check=True)
    generation = json.loads((tmp_path / "results" / "R" / "t" / "generation.json").read_text())
    assert generation["answer"] == "HELLO"


def test_older_command_makes_a_runner(
    clone: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The older command makes a runner from the same release."""
    (command,) = commands(*CREATE)
    uvx, option, requirement, *rest = shlex.split(command)
    assert (uvx, option) == ("uvx", "--from")
    assert requirement == (
        f"vals-benchmark-runner[create] @ git+{REPOSITORY}@vX.Y.Z#subdirectory=runtime"
    )
    metadata = tomllib.loads((ROOT / "runtime" / "pyproject.toml").read_text())
    tag = f"v{metadata['project']['version']}"
    released = tmp_path / "released"
    run("git", "clone", "--quiet", clone, released, cwd=tmp_path)
    run("git", "tag", tag, cwd=released)
    local = requirement.replace(REPOSITORY, f"file://{released}").replace("vX.Y.Z", tag)
    # Where the command looks for the template by itself.
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.file://{released}.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", f"{REPOSITORY}.git")
    shell([shlex.join([uvx, option, local, *rest, "--defaults"])], tmp_path)
    assert f"_commit: {tag}\n" in (tmp_path / "my-bench-runner" / ".copier-answers.yml").read_text()


def test_the_operators_commands_work(operated: list[str]) -> None:
    """The operator's commands work."""
    trial, full, resume, score, regrade = operated
    assert "first 5 of 16" in trial
    assert "Starting run first" not in trial
    assert "Starting run first" in full
    assert "first 5" not in full
    assert "Resuming run first" in resume
    assert '"command": "score"' in score
    assert "Evaluating run first" in regrade


def test_json_has_what_the_page_shows(operated: list[str]) -> None:
    """The JSON output has the values that the page shows."""
    (shown,) = blocks(sections(DOCS / "cli.md")["JSON output"], "json")
    printed = json.loads(operated[3])
    for name, value in json.loads(shown).items():
        assert printed[name] == pytest.approx(value), name


@pytest.mark.usefixtures("operated")
def test_resume_commands_work(copied: Copied) -> None:
    """The commands that continue a run work."""
    plan, rerun, capped = (shell([command], copied.project) for command in commands(*RESUME))
    assert "nothing is done" in plan
    assert "1 to generate" in rerun
    assert (copied.project / "results" / "first" / "acronym" / "attempts" / "1").is_dir()
    assert "Resuming run first" in capped


def test_repeats_and_questions_work(copied: Copied, tmp_path: Path) -> None:
    """The commands of the page on repeats work, and a question is settled."""

    def type_(command: str, *codes: int) -> str:
        return shell([command], copied.project, codes or (0,), RESULTS_DIR=str(tmp_path))

    three, five, redo, show = commands(*REPEATS)
    assert "48 scored" in type_(three)
    assert "32 to generate, 0 to evaluate, 48 done before" in type_(five)
    assert "1 to generate, 0 to evaluate, 79 done before" in type_(redo)
    assert "Repeat 2: scored" in type_(show)
    score, against, complete = commands(*SETTLE)
    assert re.search(r"Settled .* of 16 tasks: below 0.95 \(certain\)", type_(score, 5))
    assert "No score: the question is settled" in type_("uv run my-bench-runner status cheap")
    assert "better than noisy" in type_(against)
    assert "16 scored" in type_(complete)
    # The second plan is from two runs, of which one is new.
    of_one, of_two = commands(*PLAN)
    assert "To show a difference of 0.2" in type_(of_one)
    assert "To show a difference of 0.2" in type_(
        of_two.replace("first", "noisy").replace("second", "better")
    )


def test_nine_commands_work(copied: Copied, tmp_path: Path) -> None:
    """The nine commands of the README work."""

    def type_(command: str) -> str:
        return shell([command], copied.project, RESULTS_DIR=str(tmp_path))

    start, resume, plan, follow, evaluate, compare, report, export, serve_it = commands(*USE)
    assert "Starting run first" in type_(start)
    assert "Resuming run first" in type_(resume)
    assert "Plan of run first" in type_(plan)
    assert "Run first" in type_(follow)
    assert "16 scored" in type_(evaluate)
    type_(start.replace("first", "second"))
    assert "Verdict" in type_(compare)
    type_(report)
    assert (tmp_path / "first" / "report.html").is_file()
    assert "16 samples" in type_(f"{export} && rm first.eval")
    assert serve(serve_it, copied.project).startswith("Serving my-bench on http://127.0.0.1:")


def test_commands_to_compare_in_ci_work(copied: Copied, tmp_path: Path) -> None:
    """The commands to compare runs in CI work."""
    run, compare = commands(*COMPARE)
    path = f"{copied.project}/.venv/bin{os.pathsep}{os.environ['PATH']}"
    for command in (run.replace("candidate", "baseline"), run, compare):
        printed = shell([command], copied.project, RESULTS_DIR=str(tmp_path), PATH=path)
    assert "Verdict" in printed


def test_report_export_and_serve_commands_work(copied: Copied, tmp_path: Path) -> None:
    """The commands of the pages on report, export and serve work."""
    results = {"RESULTS_DIR": str(tmp_path)}
    shell(["uv run my-bench-runner run --run-id R --limit 2"], copied.project, **results)
    (report,), (serve_it,) = (commands(*place) for place in (REPORT, SERVE))
    exports = [line for place in (EXPORT, INSPECT_LOG, ATIF, OTEL) for line in commands(*place)]
    shell([report, *exports], copied.project, **results)
    assert (tmp_path / "R" / "report.html").is_file()
    assert {path.suffix for path in copied.project.glob("R*")} >= {".csv", ".eval", ".jsonl"}
    assert (copied.project / "R-atif" / "run.json").is_file()
    shell(["rm -r R.* R-atif 2*.eval"], copied.project)
    assert serve(serve_it, copied.project).startswith("Serving my-bench on http://127.0.0.1:")


def test_import_commands_work(copied: Copied, tmp_path: Path) -> None:
    """The commands that import answers, evaluate and compare them work."""
    results = {"RESULTS_DIR": str(tmp_path)}
    export = "uv run my-bench-runner export mine --output answers.jsonl"
    shell(["uv run my-bench-runner run --run-id mine", export], copied.project, **results)
    printed = shell([*commands(*IMPORT), "rm answers.jsonl"], copied.project, **results)
    assert "answers  imported from answers.jsonl" in printed
    assert "Verdict" in printed


def test_orchestrator_command_writes_a_generation(copied: Copied) -> None:
    """The orchestrator's command writes a generation."""
    (command,) = commands(*ORCHESTRATE)
    (copied.project / "FILE").write_text("What is 2 + 3?\n")
    shell([command], copied.project)
    written = copied.project / "results" / "R" / "TASK_ID" / "generation.json"
    generation = json.loads(written.read_text())
    assert generation["status"] == "success"
    assert generation["question"] == "What is 2 + 3?"


def test_copy_for_an_orchestrator_has_its_files(clone: Path, tmp_path: Path) -> None:
    """The command that adds the files of an orchestrator adds those that the page describes."""
    (command,) = commands(*FOR_AN_ORCHESTRATOR)
    assert command.startswith("uvx copier copy ")
    local = command.replace("gh:vals-ai/create-benchmark-runner", f"--vcs-ref HEAD '{clone}'")
    shell([local.replace("uvx copier copy", "copier copy --defaults")], tmp_path)
    listed = re.findall(r"(?m)^\| `([\w.]+)` \|", sections(FOR_AN_ORCHESTRATOR[0])["Orchestrators"])
    assert listed == ["contract.yaml", "setup.sh"]
    assert all((tmp_path / "my-bench" / name).is_file() for name in listed)


def test_update_keeps_an_authors_edit(copied: Copied, clone: Path, tmp_path: Path) -> None:
    """An update keeps an author's edit."""
    project = tmp_path / "my-bench"
    shutil.copytree(
        copied.project, project, ignore=shutil.ignore_patterns(".venv", "results", "FILE")
    )
    agent = project / "runner" / "benchmark.py"
    agent.write_text(agent.read_text() + "\nMINE = True\n")
    shell(["git init --quiet", "git add --all", "git commit --quiet --message Mine"], project)
    makefile = clone / "template" / "Makefile.jinja"
    makefile.write_text(makefile.read_text() + "\n# A newer framework.\n")
    shell(["git commit --quiet --all --message Newer"], clone)
    update, *rest = commands(*UPDATE)
    assert commands(*UPDATE_AGAIN) == [update, *rest]
    assert update == "make update"
    # Without a release there is no tag that copier would take by itself.
    shell([f"{update} ARGS='--vcs-ref HEAD'", *rest], project)
    assert "MINE = True" in agent.read_text()
    assert "A newer framework." in (project / "Makefile").read_text()


def test_runtime_installs_alone_from_git(clone: Path, tmp_path: Path) -> None:
    """The runtime can be installed alone from git."""
    (command,) = commands(*INSTALL)
    pip, install, requirement = shlex.split(command)
    assert (pip, install) == ("pip", "install")
    name, _, url = requirement.partition(" @ ")
    assert name == "vals-benchmark-runner"
    # Which is how an index knows it, once there is a release.
    assert commands(*ON_THE_INDEX) == [f"pip install {name}"]
    assert url == f"git+{REPOSITORY}@vX.Y.Z#subdirectory=runtime"
    local = url.replace(REPOSITORY, f"file://{clone}")
    shell(["git tag vX.Y.Z"], clone)
    shell(
        [
            *venv_with_pip(tmp_path / "venv"),
            f"pip install --quiet {shlex.quote(local)}",
            "python -c 'from benchmark_runner import BenchmarkRunner'",
        ],
        tmp_path,
    )


def test_runtime_has_the_same_licence() -> None:
    """The runtime has the licence of the repository."""
    assert (ROOT / "runtime" / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()
