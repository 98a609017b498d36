"""Two runners in one environment: their packages have the same name."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import RUNTIME, Ended

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import RunnerProject


class Environment:
    """A folder of installed distributions, with ``sample-runner`` and ``other-runner`` in it."""

    def __init__(self, project: RunnerProject, folder: Path) -> None:
        self.project = project
        self.site = folder / "site"
        self.other = folder / "other"
        shutil.copytree(project.root, self.other)
        (self.other / "pyproject.toml").write_text('[project]\nname = "other-runner"\n')
        agent = (project.root / "runner" / "benchmark.py").read_text()
        benchmark = self.other / "runner" / "benchmark.py"
        benchmark.write_text(agent.replace('"sample"', '"other"'))

    def install(self, name: str, root: Path, *, editable: bool) -> None:
        """Install a distribution as an installer does; later files overwrite earlier ones."""
        info = self.site / f"{name.replace('-', '_')}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[console_scripts]\n{name} = runner.cli:cli\n")
        record = [f"{info.name}/METADATA,,"]
        if editable:
            url = {"url": root.as_uri(), "dir_info": {"editable": True}}
            (info / "direct_url.json").write_text(json.dumps(url))
        else:
            shutil.copytree(root / "runner", self.site / "runner", dirs_exist_ok=True)
            for file in (self.site / "runner").glob("*.py"):
                digest = urlsafe_b64encode(hashlib.sha256(file.read_bytes()).digest()).decode()
                record.append(f"runner/{file.name},sha256={digest.rstrip('=')},1")
        (info / "RECORD").write_text("\n".join(record))

    def call(self, script: str, *args: str, first: Path) -> Ended:
        """Call a console script where Python imports ``runner`` from the folder ``first``."""
        path = self.project.script.with_name(script)
        if not path.exists():
            path.write_text(self.project.script.read_text())
        entries = (RUNTIME, first, self.site, self.project.root, self.other)
        paths = os.pathsep.join(map(str, entries))
        done = subprocess.run(
            [sys.executable, path, *args], cwd=self.project.root,
            env=self.project.environment(PYTHONPATH=paths), capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        return Ended(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def environment(project: RunnerProject, tmp_path: Path) -> Environment:
    return Environment(project, tmp_path)


RUN = ("run", "--run-id", "r1", "--results-dir", "out")


def test_other_editable_runner_is_refused(environment: Environment) -> None:
    """A command that would run the agent of another editable runner is refused."""
    own, other = environment.project.root, environment.other
    environment.install("sample-runner", own, editable=True)
    environment.install("other-runner", other, editable=True)
    for script, first, name in (
        ("other-runner", own, "sample-runner"),
        ("sample-runner", other, "other-runner"),
    ):
        for args in (RUN, ("runs",), ("doctor", "--offline")):
            ended = environment.call(script, *args, first=first)
            assert ended.code in (1, 2)
            said = f"{script} would run the agent of {name}: both have a package named 'runner'"
            assert said in " ".join((ended.out + ended.err).split())
        assert environment.call(name, "runs", first=first).code == 0
    assert not (other / "results").exists()


def test_overwritten_runner_is_refused(environment: Environment) -> None:
    """A command whose files another installed runner has overwritten is refused."""
    environment.install("sample-runner", environment.project.root, editable=False)
    environment.install("other-runner", environment.other, editable=False)
    ended = environment.call("sample-runner", *RUN, first=environment.site)
    assert ended.code == 2
    assert "sample-runner would run the agent of other-runner" in ended.err
    assert environment.call("other-runner", "runs", first=environment.site).code == 0


def test_runner_on_the_python_path_is_refused(environment: Environment) -> None:
    """A command that would run another runner's agent from PYTHONPATH is refused."""
    environment.install("sample-runner", environment.project.root, editable=True)
    ended = environment.call("sample-runner", *RUN, first=environment.other)
    assert ended.code == 2
    assert "sample-runner would run the agent of other-runner" in ended.err


def test_own_code_elsewhere_is_run(environment: Environment) -> None:
    """A checkout of the same runner, or one edited after it was installed, is run."""
    own = environment.project.root
    environment.install("sample-runner", own, editable=False)
    with (environment.site / "runner" / "benchmark.py").open("a") as file:
        file.write("# edited\n")
    for first in (own, environment.site):
        ended = environment.call("sample-runner", *RUN, first=first)
        assert ended.code == 0, ended.err


def test_doctor_finds_the_other_runner(environment: Environment) -> None:
    """The doctor of either runner finds that there are two."""
    environment.install("sample-runner", environment.project.root, editable=True)
    environment.install("other-runner", environment.other, editable=True)
    first = environment.project.root
    ended = environment.call("sample-runner", "doctor", "--offline", first=first)
    assert ended.code == 1
    said = "other-runner and sample-runner are installed in one environment"
    assert said in " ".join(ended.out.split())
