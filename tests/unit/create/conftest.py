"""The command, and a template that has releases."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.unit.create.command import VERSION, Command

if TYPE_CHECKING:
    from tests.conftest import Run


@pytest.fixture(scope="session")
def released(template_repo: Path, tmp_path_factory: pytest.TempPathFactory, run: Run) -> Path:
    """The template with a release, a newer one, and work on the next."""
    repo = tmp_path_factory.mktemp("released") / "create-benchmark-runner"
    run("git", "clone", "--quiet", template_repo, repo, cwd=template_repo)
    run("git", "tag", f"v{VERSION}", cwd=repo)
    makefile = repo / "template" / "Makefile.jinja"
    makefile.write_text(makefile.read_text() + "\n# A newer framework.\n")
    run("git", "commit", "--quiet", "--all", "--message", "Newer", cwd=repo)
    run("git", "tag", "v1.3.0", cwd=repo)
    run("git", "commit", "--quiet", "--allow-empty", "--message", "Next", cwd=repo)
    return repo


@pytest.fixture
def create(released: Path, tmp_path: Path) -> Command:
    folder = tmp_path / "folder"
    folder.mkdir()
    return Command(folder, released)
