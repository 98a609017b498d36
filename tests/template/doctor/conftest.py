"""Copies of a released template, for ``doctor`` to examine."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import copier
import pytest

from tests.template.copies import clone_with_release, init_and_commit

if TYPE_CHECKING:
    from tests.conftest import Run


@pytest.fixture(scope="session")
def released(template_repo: Path, run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template's repository, with one release."""
    clone = tmp_path_factory.mktemp("released") / "create-benchmark-runner"
    return clone_with_release(template_repo, clone, run)


@pytest.fixture(scope="session")
def fresh(released: Path, run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the release, committed; to be read only."""
    project = tmp_path_factory.mktemp("fresh") / "my-bench"
    copier.run_copy(str(released), project, defaults=True, quiet=True, unsafe=False)
    init_and_commit(project, run)
    return project


@pytest.fixture
def authors(fresh: Path, tmp_path: Path) -> Path:
    """A copy of the release, committed, for the test to work in."""
    return Path(shutil.copytree(fresh, tmp_path / "my-bench"))
