"""The base install: every command but those of an extra, and what the others say."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmark_runner._extras import MODULES, require_extra
from benchmark_runner.errors import UsageError

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject

ROOT = Path(__file__).parents[2]
#: With one that jinja2 brings.
EXTRAS = sorted(["markupsafe", *(module for modules in MODULES.values() for module in modules)])

SCRIPT = """\
import sys


class Missing:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in {missing}:
            raise ModuleNotFoundError(f"an extra is imported: {{name}}")


def find_spec(name):
    return None if name in {missing} else util_find_spec(name)


import importlib.util

util_find_spec, importlib.util.find_spec = importlib.util.find_spec, find_spec
sys.meta_path.insert(0, Missing)
from runner.cli import cli

sys.exit(cli())
"""


@pytest.fixture
def base(project: RunnerProject) -> RunnerProject:
    """A project in an environment without the extras."""
    project.script.write_text(SCRIPT.format(missing=EXTRAS))
    return project


def test_every_extra_is_declared() -> None:
    """Each extra is declared in the metadata."""
    declared = tomllib.loads((ROOT / "runtime" / "pyproject.toml").read_text())["project"]
    assert set(declared["optional-dependencies"]) == set(MODULES)


def test_base_install_imports_no_extra(base: RunnerProject) -> None:
    """The commands of the base install import no module of an extra."""
    for arguments in (
        ("run", "--run-id", "a"),
        ("run", "--run-id", "b"),
        ("evaluate", "--run-id", "a"),
        ("score", "--run-id", "a"),
        ("runs",),
        ("status", "a"),
        ("show", "a", "t1"),
        ("export", "a"),
        ("compare", "a", "b"),
        ("--version",),
    ):
        ended = base.execute(*arguments)
        assert ended.code == 0, (arguments, ended)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("arguments", [("doctor",), ("serve",), ("report", "a")], ids=" ".join)
def test_missing_extra_says_how_to_install_it(
    base: RunnerProject, arguments: tuple[str, ...]
) -> None:
    """A command whose extra is missing prints the command that installs it."""
    command = arguments[0]
    ended = base.execute(*arguments)
    assert ended.code == 2
    assert f"not installed: {', '.join(MODULES[command])}" in ended.err
    assert sys.executable in ended.err
    assert f"'vals-benchmark-runner[{command}]'" in ended.err
    assert base.execute(command, "--help").code == 0


@pytest.mark.parametrize("program", ["uv", None])
def test_uv_project_gets_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str | None
) -> None:
    """The hint is `uv add --dev` in a project if uv is there, or else pip."""
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    monkeypatch.setattr("shutil.which", lambda name: program)
    monkeypatch.setattr("benchmark_runner._extras.find_spec", lambda name: None)
    with pytest.raises(UsageError) as caught:
        require_extra("report")
    pip = f"pip --python {sys.executable} install"
    command = "uv add --dev" if program else pip
    assert caught.value.hint == (
        f"Install what report needs: {command} 'vals-benchmark-runner[report]'"
    )
