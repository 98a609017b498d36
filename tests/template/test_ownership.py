"""Whose files are whose: what an update changes, and what it never touches."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import copier
import pytest

from tests.template.copies import clone_with_release, commit, update
from tests.template.edits import replace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Run

AUTHORS_FILES = [
    ".env.example",
    "README.md",
    "data/validation.json",
    "runner/__init__.py",
    "runner/benchmark.py",
    "runner/cli.py",
    "runner/grader.py",
    "tests/__init__.py",
    "tests/test_benchmark.py",
    "tests/test_grader.py",
]


@pytest.fixture
def template(template_repo: Path, run: Run, tmp_path: Path) -> Path:
    """A template with one release, to be evolved by the test."""
    return clone_with_release(template_repo, tmp_path / "template", run)


@pytest.fixture
def author_project(template: Path, run: Run, tmp_path: Path) -> Path:
    """A copy of the release, committed by its author."""
    project = tmp_path / "my-bench"
    copier.run_copy(str(template), project, defaults=True, quiet=True, unsafe=False)
    run("git", "init", "--quiet", cwd=project)
    commit(project, run)
    return project


@pytest.fixture
def release(template: Path, run: Run) -> Callable[[], None]:
    """Release a version in which every file has changed, and a starter file is gone."""

    def release() -> None:
        for path in (template / "template").rglob("*.py*"):
            path.write_text(f"{path.read_text()}# New.\n")
        replace(template / "template/.gitignore.jinja", "\n.venv/\n", "\n.venv/\n.cache/\n")
        replace(template / "template/Makefile.jinja", "-m pytest\n", "-m pytest --quiet\n")
        replace(template / "template/pyproject.toml.jinja", '"pytest>=8.3"', '"pytest>=9"')
        replace(template / "template/README.md.jinja", "## Run it", "## Run it now")
        data = template / "template/data"
        replace(data / "{% if payload == 'text' %}validation.json{% endif %}", '"Fe"', '"FE"')
        replace(template / "runtime/pyproject.toml", 'version = "0.1.0"', 'version = "0.2.0"')
        (template / "template/.env.example.jinja").unlink()
        commit(template, run)
        run("git", "tag", "v0.2.0", cwd=template)

    return release


def assert_merged(project: Path, run: Run) -> None:
    assert "U" not in {line[0] for line in run("git", "status", "-s", cwd=project).splitlines()}
    assert not list(project.rglob("*.rej"))
    run("git", "diff", "--check", cwd=project)
    run("git", "grep", "-E", "^(<{7}|>{7}) ", cwd=project, code=1)


def test_update_brings_only_the_frameworks(
    author_project: Path, release: Callable[[], None], run: Run
) -> None:
    """An update brings the framework's files and the runtime's version, and no other."""
    before = {name: (author_project / name).read_bytes() for name in AUTHORS_FILES}
    release()
    update(author_project)
    assert_merged(author_project, run)
    assert "-m pytest --quiet" in (author_project / "Makefile").read_text()
    contract = (author_project / "tests" / "test_runner_contract.py").read_text()
    assert contract.endswith("# New.\n")
    metadata = (author_project / "pyproject.toml").read_text()
    assert '"vals-benchmark-runner>=0.2.0,<0.3"' in metadata
    assert '"pytest>=9"' in metadata
    assert {name: (author_project / name).read_bytes() for name in AUTHORS_FILES} == before


def test_update_restores_no_deleted_file(
    author_project: Path, release: Callable[[], None], run: Run
) -> None:
    """An update does not bring back files that the author deleted."""
    deleted = [name for name in AUTHORS_FILES if name != "runner/cli.py"]
    for name in deleted:
        (author_project / name).unlink()
    shutil.rmtree(author_project / "data")
    commit(author_project, run)
    release()
    update(author_project)
    assert_merged(author_project, run)
    assert [name for name in deleted if (author_project / name).exists()] == []


def test_update_changes_an_answer(author_project: Path, run: Run) -> None:
    """An update with another answer changes what depends on it, and prints the next steps."""
    assert (author_project / "Dockerfile").is_file()
    printed = run("sh", "-c", 'make update ARGS="--data docker=false"', cwd=author_project)
    assert_merged(author_project, run)
    assert not (author_project / "Dockerfile").exists()
    assert "git diff --check" in printed
    assert "make install test" in printed
    assert "CHANGELOG.md" in printed
