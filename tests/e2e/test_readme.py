"""The README's commands, as a reader types them; only what has to be fetched is local."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Run

HAS_MAKE = shutil.which("make") is not None

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = [block.splitlines() for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)]
DEMO, TESTS, COPY, CREATE, OPERATE, ORCHESTRATE, GO_ON, UPDATE, RUNTIME = BLOCKS
REPOSITORY = "https://github.com/vals-ai/create-benchmark-runner"


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
    copy, *rest = COPY
    assert copy == "uvx copier copy gh:vals-ai/create-benchmark-runner my-bench"
    from_clone = f"copier copy --defaults --vcs-ref HEAD {shlex.quote(str(clone))} my-bench"
    if not HAS_MAKE:
        rest = [command.replace("make install", "uv sync") for command in rest]
    printed = shell([from_clone, *rest], folder)
    return Copied(folder / "my-bench", printed)


@pytest.fixture(scope="module")
def operated(copied: Copied) -> list[str]:
    """What the operator's commands print, one after the other; they leave the run `first`."""
    return [shell([command], copied.project) for command in OPERATE]


def shell(commands: list[str], folder: Path) -> str:
    """Run commands in one shell, which stops at the first that fails."""
    done = subprocess.run(
        ["bash", "-e", "-c", "\n".join(commands)],
        cwd=folder,
        env=os.environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_demo_makes_a_runner_and_ends_in_a_score(clone: Path, tmp_path: Path) -> None:
    (command,) = DEMO
    fresh = f"python -m venv {tmp_path}/venv && export PATH={tmp_path}/venv/bin:$PATH"
    printed = shell([fresh, command], clone)
    assert re.search(r"Score +0\.\d+ ± ", printed)
    project = clone / "demo" / "my-bench"
    assert (project / "runner" / "benchmark.py").is_file()
    assert (project / ".venv" / "bin" / "my-bench-runner").is_file()
    resume = re.search(r"Resume +(.*)", printed)
    assert resume is not None
    assert "Resuming run" in shell([resume[1]], project)


def test_the_test_command_is_what_ci_calls() -> None:
    (command,) = TESTS
    assert command == "pip install nox && nox -s tests"
    ci = (ROOT / ".ci" / "run").read_text()
    assert re.search(r"^nox -s tests\b", ci, re.MULTILINE)


def test_copying_installing_and_running_end_in_a_score(copied: Copied) -> None:
    run_id = re.search(r"Starting run (\S+)", copied.printed)
    assert run_id is not None
    score = copied.project / "results" / run_id[1] / "final_score.json"
    assert json.loads(score.read_text())["complete"] is True


def test_the_older_command_makes_a_runner_from_the_same_release(
    clone: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (command,) = CREATE
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
    trial, full, resume, score, regrade = operated
    assert "first 5 of 16" in trial
    assert "Starting run first" not in trial
    assert "Starting run first" in full
    assert "first 5" not in full
    assert "Resuming run first" in resume
    assert '"command": "score"' in score
    assert "Grading run first" in regrade


@pytest.mark.usefixtures("operated")
def test_the_commands_that_go_on_with_a_run_work(copied: Copied) -> None:
    plan, rerun, capped = (shell([command], copied.project) for command in GO_ON)
    assert "nothing is done" in plan
    assert "1 to generate" in rerun
    assert (copied.project / "results" / "first" / "acronym" / "attempts" / "1").is_dir()
    assert "Resuming run first" in capped


def test_the_orchestrators_command_writes_a_generation(copied: Copied) -> None:
    (command,) = ORCHESTRATE
    (copied.project / "FILE").write_text("What is 2 + 3?\n")
    shell([command], copied.project)
    written = copied.project / "results" / "R" / "TASK_ID" / "generation.json"
    generation = json.loads(written.read_text())
    assert generation["status"] == "success"
    assert generation["question"] == "What is 2 + 3?"


@pytest.mark.skipif(not HAS_MAKE, reason="make is not installed on this machine")
def test_an_update_keeps_an_authors_edit(copied: Copied, clone: Path, tmp_path: Path) -> None:
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
    update, *rest = UPDATE
    assert update == "copier update --skip-answered"
    # Without a release there is no tag that copier would take by itself.
    shell([f"{update} --vcs-ref HEAD", *rest], project)
    assert "MINE = True" in agent.read_text()
    assert "A newer framework." in (project / "Makefile").read_text()


def test_the_runtime_can_be_installed_alone_from_git(clone: Path, tmp_path: Path) -> None:
    (command,) = RUNTIME
    pip, install, requirement = shlex.split(command)
    assert (pip, install) == ("pip", "install")
    name, _, url = requirement.partition(" @ ")
    assert name == "vals-benchmark-runner"
    assert url == f"git+{REPOSITORY}@vX.Y.Z#subdirectory=runtime"
    local = url.replace(REPOSITORY, f"file://{clone}")
    shell(["git tag vX.Y.Z"], clone)
    shell(
        [
            f"python -m venv {tmp_path}/venv",
            f"{tmp_path}/venv/bin/pip install --quiet {shlex.quote(local)}",
            f"{tmp_path}/venv/bin/python -c 'from benchmark_runner import BenchmarkRunner'",
        ],
        tmp_path,
    )


def test_every_link_to_a_file_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", README):
        if target.startswith("https://"):
            continue
        name, _, place = target.partition("#")
        assert (ROOT / name).exists(), target
        if place:
            headings = re.findall(r"^#+ (.+)$", (ROOT / name).read_text(), re.MULTILINE)
            places = [re.sub(r"[^\w -]", "", text).lower().replace(" ", "-") for text in headings]
            assert place in places, target


def test_the_licence_of_the_runtime_is_that_of_the_repository() -> None:
    assert (ROOT / "runtime" / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()
