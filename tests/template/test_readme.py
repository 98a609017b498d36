"""A copy's README and the pages on agents and updates, followed to the letter."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.pages import DOCS, sections
from tests.template.copies import commit, start
from tests.template.versions import SYNTHETIC

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Run
    from tests.template.copies import Releases

OLDER = {older.name: older for older in SYNTHETIC}["files dropped"]
TOOLS = ("make", "uv", "copier", "git", "install", "docker")
#: A block of code, or a command within a sentence.
STEP = re.compile(rf"```(\w*)\n(.*?)```|`((?:{'|'.join(TOOLS)})\s[^`]+)`", re.DOTALL)

#: What asks the agent, and what needs a run.
RUN = re.compile(r"my-bench-runner run ")
OF_A_RUN = re.compile(r"my-bench-runner (run|status|report|show) ")
ASK_A_MODEL = ("tools", "chat", "model-library")
IN_INSPECT = {
    "uv add --dev inspect-ai",
    "uv run inspect eval my_bench_runner/my_bench --epochs 3",
}
WITHOUT_DOCKER = "a machine that runs the tests need not have a Docker engine"
WITHOUT_KEY = "it asks a model, with a key that not everybody has"
WITHOUT_INSPECT = "tests/interop does it, in a session that installs Inspect"


@dataclass(frozen=True)
class Step:
    """A command, or a text for runner/benchmark.py."""

    language: str
    text: str


def steps_of(text: str) -> list[Step]:
    steps: list[Step] = []
    for language, block, inline in STEP.findall(text):
        if language == "python":
            steps.append(Step(language, block))
        else:
            # A long command goes on in the next line.
            commands = re.sub(r"\s*\\\n\s*", " ", block or " ".join(inline.split()))
            steps += [Step("", command) for command in commands.splitlines()]
    return steps


def steps_of_a_reader(project: Path) -> list[Step]:
    """The README up to its part on updates, how an agent is written, and then updates."""
    before, update = (project / "README.md").read_text().split("## Update it")
    texts = (
        before,
        (DOCS / "authoring.md").read_text(),
        update,
        sections(DOCS / "versioning.md")["Taking an update"],
    )
    return [step for text in texts for step in steps_of(text)]


class Reader:
    """Does what each step says, every command in a shell of its own."""

    def __init__(self, project: Path, agent: str, run: Run) -> None:
        self.project = project
        self.agent = agent
        self.run = run
        self.run_id = "R"
        self.has_own_agent = False
        self.done: list[str] = []
        self.left_out: dict[str, str] = {}

    def follow(self, steps: list[Step]) -> None:
        for step in steps:
            if step.language:
                self.write_agent(step.text)
            elif (reason := self.reason_against(step.text)) is not None:
                self.left_out[step.text] = reason
            else:
                self.type(step.text)

    def write_agent(self, text: str) -> None:
        """Put an example where it belongs; an agent replaces the sample with its tests."""
        if "def test_" in text:
            (self.project / "tests/test_cli.py").write_text(text)
            return
        if "class MyBenchRunner(" not in text:  # another example, to look at
            return
        (self.project / "runner/benchmark.py").write_text(text)
        (self.project / "tests/test_benchmark.py").unlink()
        self.has_own_agent = True

    def reason_against(self, command: str) -> str | None:
        """Why a command is not run here, if it isn't."""
        if command.startswith("docker ") or command == "make docker-build":
            return WITHOUT_DOCKER
        if command in IN_INSPECT:
            return WITHOUT_INSPECT
        if OF_A_RUN.search(command) and self.agent in ASK_A_MODEL and not self.has_own_agent:
            return WITHOUT_KEY
        return None

    def type(self, command: str) -> None:
        if command.startswith(("make update", "copier update")):
            # "In a clean git tree."
            commit(self.project, self.run)
        fails = self.agent == "blank" and not self.has_own_agent and bool(RUN.search(command))
        typed = re.sub(r"(?<= )R\b", self.run_id, command)
        printed = self.run("sh", "-c", typed, cwd=self.project, code=1 if fails else 0)
        if fails:
            assert "write generate() in runner/benchmark.py" in " ".join(printed.split())
        if started := re.search(r"Starting run (\S+)", printed):
            self.run_id = started[1]
        self.done.append(command)


@pytest.mark.full
@pytest.mark.parametrize("agent", ["baseline", "blank", *ASK_A_MODEL])
def test_readme_commands_work(agent: str, releases: Releases, run: Run, tmp_path: Path) -> None:
    """Each command of the README and of the pages does what it says."""
    project = start(releases(OLDER), tmp_path, OLDER, run, sample_agent=agent)
    reader = Reader(project, agent, run)
    reader.follow(steps_of_a_reader(project))
    runs = {
        "uv run my-bench-runner run --dataset-name validation",
        "uv run my-bench-runner run --run-id R",
        "uv run my-bench-runner status R",
        "uv run my-bench-runner report R",
    }
    assert {
        "make install",
        "make test lint typecheck",
        "uv run my-bench-runner doctor",
        "make help",
        "install -m 600 .env.example .env",
        "uv run my-bench-runner run --dataset-name validation --option delay=0.5",
        "make update",
        'make update ARGS="--data docker=false"',
        "git diff --check",
        "make install test",
        "copier check-update",
        "copier recopy --skip-answered --overwrite",
        *(runs if agent not in ASK_A_MODEL else {}),
    } <= set(reader.done)
    assert not (project / "scripts").exists()
    not_run: dict[str, set[str]] = {}
    for command, reason in reader.left_out.items():
        not_run.setdefault(reason, set()).add(command)
    docker = not_run.pop(WITHOUT_DOCKER)
    assert not_run.pop(WITHOUT_INSPECT) == IN_INSPECT
    assert {command.split()[0] for command in docker} == {"make", "docker"}
    assert runs <= not_run.pop(WITHOUT_KEY, set()) or agent not in ASK_A_MODEL
    assert not not_run
