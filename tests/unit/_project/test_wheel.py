"""What a runner's code uses beside its package, and which of it a wheel would lack."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmark_runner._project.wheel import missing_modules

if TYPE_CHECKING:
    from pathlib import Path

HATCHLING = '[build-system]\nbuild-backend = "hatchling.build"\n'
WHEEL = "[tool.hatch.build.targets.wheel]\n"
INCLUDE = 'include = ["/runner", "/data"]\nsources = { "data" = "runner/data" }\n'


def missing(root: Path, files: dict[str, str], manifest: str = "") -> list[str]:
    """The paths that the wheel of a project with these files would lack."""
    text = manifest or HATCHLING + WHEEL + INCLUDE
    for name, content in {"pyproject.toml": text, "runner/__init__.py": "", **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return [str(module.path) for module in missing_modules(root, root / "runner")]


@pytest.mark.parametrize(
    "code",
    [
        "import helpers_x",
        "import helpers_x.deep as h",
        "from helpers_x import one, two",
        "from helpers_x.deep import one",
        "def generate():\n    import helpers_x",
        "try:\n    import helpers_x\nexcept ImportError:\n    pass",
        'make_cli("runner.benchmark:Mine", grader="helpers_x.grader:grade")',
        'importlib.import_module("helpers_x.deep").run(1)',
        '__import__("helpers_x")',
    ],
)
@pytest.mark.parametrize("place", ["helpers_x.py", "helpers_x/__init__.py", "helpers_x/deep.py"])
def test_used_module_is_missing(code: str, place: str, tmp_path: Path) -> None:
    """A module or package that the runner uses, in any way, is missing."""
    files = {"runner/cli.py": code, place: ""}
    assert missing(tmp_path, files) == [place.partition("/")[0]]


@pytest.mark.parametrize(
    "code",
    [
        "",
        "from . import helpers_x",
        'importlib.import_module(".helpers_x", __package__)',
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import helpers_x",
        "import json, pydantic, no_such_module",
        "def (",
    ],
)
def test_unused_module_is_not_missing(code: str, tmp_path: Path) -> None:
    """Other modules, and code that nothing imports, are none of the wheel's."""
    files = {"runner/cli.py": code, "helpers_x.py": "", "json/deep.py": "", "pydantic/deep.py": ""}
    assert missing(tmp_path, files) == []


@pytest.mark.parametrize(
    ("setting", "lacks"),
    [
        ('include = ["/runner", "/helpers_x"]', ["other_x.py"]),
        ('include = ["runner", "helpers_x/**", "*.py"]', []),
        ('include = ["**/*.py"]', []),
        ('include = ["/runner", "/helpers_x"]\nexclude = ["/helpers_x"]', ["helpers_x"]),
        ('packages = ["runner", "helpers_x"]', ["other_x.py"]),
        ('only-include = ["runner", "other_x.py"]', ["helpers_x"]),
        ('include = ["/runner"]\nforce-include = { "helpers_x" = "helpers_x" }', ["other_x.py"]),
        ('include = ["/runner", "/*_x*"]\nsources = { "helpers_x" = "h" }', ["helpers_x"]),
    ],
)
def test_settings_of_the_wheel_count(setting: str, lacks: list[str], tmp_path: Path) -> None:
    """A module that the settings include is not missing, and its own imports count."""
    files = {
        "runner/cli.py": "import helpers_x",
        "helpers_x/__init__.py": "import other_x",
        "other_x.py": "",
    }
    assert missing(tmp_path, files, HATCHLING + WHEEL + setting) == lacks


def test_renamed_data_has_no_module(tmp_path: Path) -> None:
    """A module in a folder that the wheel renames can't be imported from there."""
    files = {"runner/cli.py": "from data import loader_x", "data/loader_x.py": ""}
    assert missing(tmp_path, files) == ["data"]


def test_own_scripts_count(tmp_path: Path) -> None:
    """A script of the author's names a module."""
    script = '[project.scripts]\ntool = "tools_x.cli:main"\n' + HATCHLING + WHEEL + INCLUDE
    assert missing(tmp_path, {"tools_x/cli.py": ""}, script) == ["tools_x"]


def test_runner_at_the_root_is_followed(tmp_path: Path) -> None:
    """The module of a runner without a package is that of its script."""
    script = '[project.scripts]\nx = "bench_x:cli"\n' + HATCHLING + WHEEL
    files = {"bench_x.py": "import helpers_x", "helpers_x.py": "", "pyproject.toml": script}
    for name, content in files.items():
        (tmp_path / name).write_text(content + 'include = ["/bench_x.py"]\n' * (content == script))
    assert [str(each.path) for each in missing_modules(tmp_path, tmp_path)] == ["helpers_x.py"]


@pytest.mark.parametrize("manifest", ["[", '[build-system]\nbuild-backend = "flit"', HATCHLING])
def test_unknown_build_is_not_judged(manifest: str, tmp_path: Path) -> None:
    """Without settings of hatchling that say what is included, nothing is missing."""
    assert (
        missing(tmp_path, {"runner/cli.py": "import helpers_x", "helpers_x.py": ""}, manifest) == []
    )
