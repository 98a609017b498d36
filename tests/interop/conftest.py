"""Runs with every kind of outcome, and the readers of other tools.

``nox -s interop`` runs these tests. ``--shots DIR`` keeps pictures of the viewer.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.conftest import UNSET, RunnerProject
from tests.interop import agent
from tests.interop.releases import AGES, Release
from tests.scripted_service import ScriptedService
from tests.unit.results.report.agents import delegating, put, step, trajectory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from starlette.types import ASGIApp

KEY = "key-of-the-service-0123456789"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--shots", metavar="DIR", type=Path, help="keep pictures of the viewer there")


@dataclass
class Runs:
    """A project, with its runs.

    ``outcomes`` has a task of each outcome, and two repeats of each; some failed, and one was not
    started. ``complete`` has a final score; so has ``unscored``, in which a result is no score.
    """

    project: RunnerProject
    exports: Path

    def run(self, *args: str | Path, code: int = 0) -> Any:
        """Call the command line, and return the JSON that it prints."""
        ended = self.project.run(*args, "--json", PLANTED_API_KEY=agent.PLANTED_KEY)
        assert ended.code == code, (ended.out, ended.err)
        return ended.json

    def status(self, run_id: str) -> Any:
        """Return what ``status`` says of a run."""
        return self.run("status", run_id)

    def log(self, run_id: str) -> Path:
        """Export a run as a log of Inspect."""
        return self.export(run_id, "inspect", f"logs/{run_id}.eval")

    def export(self, run_id: str, format_: str, name: str) -> Path:
        """Export a run to a file or a folder."""
        output = self.exports / name
        if not output.exists():
            self.run("export", run_id, "--format", format_, "--output", output)
        return output


@pytest.fixture(scope="session")
def runs(
    tmp_path_factory: pytest.TempPathFactory, serve_app: Callable[[ASGIApp], str]
) -> Iterator[Runs]:
    """The runs, made by the real engine over services on loopback ports."""
    root = tmp_path_factory.mktemp("interop")
    with pytest.MonkeyPatch.context() as patch:
        for name in UNSET:
            patch.delenv(name, raising=False)
        project = RunnerProject(root / "project", patch)
        patch.syspath_prepend(str(project.root))
        patch.setattr(sys, "argv", [str(project.script)])
        patch.setattr(sys, "dont_write_bytecode", True)
        patch.chdir(project.root)
        project.write_agent(agent.AGENT)
        project.write_grader(agent.GRADER)
        put(project.root / "delegating", delegating())
        helper = trajectory(step(1, message="Nobody asked me."), name="helper")
        put(project.root / "delegating", helper, "helpers/trajectory.json")
        project.write_tasks(agent.TASKS)
        (root / "exports" / "logs").mkdir(parents=True)
        made = Runs(project, root / "exports")
        with served(project) as url:
            make_outcomes(made, url)
            complete = [task for task in agent.TASKS if task["id"] in agent.COMPLETE]
            make_done(made, url, "complete", complete, "--repeats", "2")
        service = ScriptedService({"/evaluate-response/": [*agent.RESULTS]})
        url = serve_app(service.app())
        make_done(made, url, "unscored", agent.UNSCORED, "--parallelism", "1")
        yield made


def make_outcomes(runs: Runs, url: str) -> None:
    """Make the run in which tasks came to each end; ``mended`` was done again."""
    run = ("run", "--run-id", "outcomes", "--repeats", "2", *to(url))
    ids = [str(task["id"]) for task in agent.TASKS if task["id"] != "missing"]
    runs.run(*run, *ids, code=1)
    runs.run(*run, "mended")


def make_done(
    runs: Runs, url: str, name: str, tasks: Sequence[dict[str, Any]], *options: str
) -> None:
    """Make a run in which all tasks are done, and so is the final score."""
    file = runs.project.dataset.with_name(f"{name}.json")
    file.write_text(json.dumps({"dataset_name": name, "tests": tasks}))
    dataset = ("--dataset-file", str(file))
    runs.run("run", "--run-id", name, *dataset, *options, *to(url))


def to(url: str) -> Sequence[str]:
    """Return the options of a run that uses the service at ``url``."""
    return ("--service-url", url, "--service-attempts", "1", "--quiet")


class served:  # noqa: N801 (it reads as what it does)
    """The embedded service, on a port of its own process, for the length of a block."""

    def __init__(self, project: RunnerProject) -> None:
        self._project = project

    def __enter__(self) -> str:
        self._process = self._project.start("serve", "--port", "0", "--key", KEY)
        assert self._process.stdout is not None
        said = "".join(self._process.stdout.readline() for _ in range(3))
        found = re.search(r"http://\S+:\d+", said)
        assert found, said
        self._project.monkeypatch.setenv("BENCHMARK_API_KEY", KEY)
        return found[0]

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()


@pytest.fixture(scope="session")
def releases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Release]:
    """The newest releases of inspect-ai by their age."""
    folder = tmp_path_factory.mktemp("releases")
    return {age: Release(age, folder) for age in AGES}


@pytest.fixture(scope="session", params=AGES)
def inspect(request: pytest.FixtureRequest, releases: dict[str, Release]) -> Release:
    """A release of inspect-ai: each test is run with each of them."""
    return releases[request.param]


@pytest.fixture(scope="session")
def newest(releases: dict[str, Release]) -> Release:
    """The newest release of inspect-ai."""
    return releases[AGES[0]]
