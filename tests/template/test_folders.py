"""Copies in other places than a folder of their own that stays where it was made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Run
    from tests.template.conftest import CopyTemplate

WORKSPACE = """\
[project]
name = "root"
version = "0.1"
requires-python = ">=3.11"
"""


@pytest.mark.parametrize(
    "table",
    [
        '[tool.uv.workspace]\nmembers = ["benches/*"]\n',
        pytest.param(
            '[tool.uv]\nworkspace = { members = ["benches/*"] }\n', marks=pytest.mark.full
        ),
    ],
)
def test_workspace_member_uses_its_environment(
    table: str, copy_template: CopyTemplate, run: Run, tmp_path: Path
) -> None:
    """A member of a uv workspace has the environment and the lock of the workspace."""
    (tmp_path / "pyproject.toml").write_text(WORKSPACE + table)
    project = copy_template(tmp_path / "benches" / "my-bench")
    printed = run("make", "install", "typecheck", "run", "ARGS=--limit 1", cwd=project)
    assert "0 errors" in printed
    assert "1 scored" in printed
    assert (tmp_path / "uv.lock").is_file()
    assert not {".venv", "uv.lock"} & {path.name for path in project.iterdir()}


def test_folder_beside_a_workspace_is_its_own(
    copy_template: CopyTemplate, run: Run, tmp_path: Path
) -> None:
    """A folder that is no member of the workspace around it has its own environment."""
    members = '[tool.uv.workspace]\nmembers = ["*"]\nexclude = ["my-bench"]\n'
    (tmp_path / "pyproject.toml").write_text(WORKSPACE + members)
    project = copy_template(tmp_path / "my-bench")
    for command in ("typecheck", "run"):
        assert f".venv/bin/{'python' if command == 'typecheck' else 'my-bench-runner'}" in run(
            "make", "--dry-run", "--always-make", command, cwd=project
        )
        assert "../.venv" not in run("make", "--dry-run", "--always-make", command, cwd=project)


def test_moved_folder_works_after_an_install(
    copy_template: CopyTemplate, run: Run, tmp_path: Path
) -> None:
    """A folder that was moved says so, and works after another make install."""
    project = copy_template(tmp_path / "first place")
    run("make", "install", cwd=project)
    moved = project.rename(tmp_path / "my-bench")
    assert "install this one with: make install" in run("make", "run", cwd=moved, code=2)
    run("make", "install", "lint", "run", cwd=moved)
    # As the linter, and unlike a script, which names the old folder.
    assert run("make", "--dry-run", "typecheck", cwd=moved).startswith(
        ".venv/bin/python -m pyright"
    )
    assert (moved / "results").is_dir()


def test_named_python_is_used_with_uv(
    copy_template: CopyTemplate, run: Run, tmp_path: Path
) -> None:
    """The Python that is given to make install is that of uv."""
    project = copy_template(tmp_path / "my-bench")
    printed = run("make", "install", "PYTHON=no-such-python", cwd=project, code=2)
    assert "no-such-python" in printed
    assert not (project / ".venv").exists()


def test_other_python_replaces_the_environment(
    copy_template: CopyTemplate, run: Run, tmp_path: Path
) -> None:
    """Without uv, another Python replaces the environment, and none keeps it."""
    project = copy_template(tmp_path / "my-bench")
    own, other = project / ".venv/bin/python", tmp_path / "other-python"
    for path, version in ((own, "3.12.1"), (other, "3.13.0")):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            f'#!/bin/sh\ntest "$1" != -V || echo Python {version}\necho "{path} $*" >&2\n'
        )
        path.chmod(0o755)
    kept = run("make", "install", "UV=", cwd=project)
    assert "-m venv" not in "".join(line for line in kept.splitlines() if line.startswith("/"))
    printed = run("make", "install", "UV=", f"PYTHON={other}", cwd=project)
    assert f"{other} -m venv --clear .venv" in printed.splitlines()
