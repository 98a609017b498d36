"""Copies of the template, made as a user would."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import copier
import pytest

from tests.template.copies import commit
from tests.template.versions import NEWER, OLDER, ROOT

if TYPE_CHECKING:
    from tests.conftest import Run
    from tests.template.copies import Releases
    from tests.template.versions import Older


class CopyTemplate(Protocol):
    """Copies the template with these answers, defaults for the rest, and without trust."""

    def __call__(self, destination: Path, /, **answers: object) -> Path: ...


@pytest.fixture(scope="session")
def copy_template(template_repo: Path, tmp_path_factory: pytest.TempPathFactory) -> CopyTemplate:
    """Copy the template, which renders each set of answers once."""
    rendered: dict[str, Path] = {}

    def copy_template(destination: Path, /, **answers: object) -> Path:
        # Of the destination, only the name of the folder decides about a copy.
        key = repr((destination.name, sorted(answers.items())))
        if key not in rendered:
            folder = tmp_path_factory.mktemp("rendered") / destination.name
            copier.run_copy(
                str(template_repo),
                folder,
                data=answers,
                defaults=True,
                vcs_ref="HEAD",
                quiet=True,
                unsafe=False,
            )
            rendered[key] = folder
        return Path(shutil.copytree(rendered[key], destination))

    return copy_template


@pytest.fixture(scope="session")
def project(copy_template: CopyTemplate, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy with the defaults, to be read only."""
    return copy_template(tmp_path_factory.mktemp("default") / "my-bench")


@pytest.fixture
def releases(template_repo: Path, run: Run, tmp_path: Path) -> Releases:
    def releases(older: Older) -> Path:
        repo = tmp_path / "template"
        run("git", "clone", "--quiet", template_repo, repo, cwd=tmp_path)
        if older.tag is None:
            older.undo(repo)
            commit(repo, run)
            run("git", "tag", OLDER, cwd=repo)
            run("git", "revert", "--no-edit", "HEAD", cwd=repo)
        else:
            run("git", "fetch", "--quiet", ROOT, "tag", older.tag, cwd=repo)
        older.also(repo)
        commit(repo, run)
        run("git", "tag", NEWER, cwd=repo)
        return repo

    return releases
