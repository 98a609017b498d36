"""What a bot does with copies of the template: make one, keep it in git, update it, run it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Protocol

import copier

from tests.template.versions import OLDER

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Run
    from tests.template.versions import Older


class Releases(Protocol):
    """Makes a template whose last two versions are an older one and the working tree."""

    def __call__(self, older: Older) -> Path: ...


def commit(repo: Path, run: Run) -> None:
    """Commit all that there is."""
    run("git", "add", "--all", cwd=repo)
    run("git", "commit", "--quiet", "--allow-empty", "--message", "Work", cwd=repo)


def init_and_commit(folder: Path, run: Run) -> None:
    """Keep a folder in git, and commit all that there is."""
    run("git", "init", "--quiet", cwd=folder)
    commit(folder, run)


def clone_with_release(repo: Path, clone: Path, run: Run) -> Path:
    """Clone the template's repository, and release a first version there."""
    run("git", "clone", "--quiet", repo, clone, cwd=repo)
    run("git", "tag", "v0.1.0", cwd=clone)
    return clone


def copy(
    template: Path, destination: Path, answers: dict[str, object], version: str | None = None
) -> Path:
    """Copy a version of the template, by itself the highest."""
    copier.run_copy(
        str(template), destination, data=answers, defaults=True, vcs_ref=version,
        quiet=True, unsafe=False,
    )  # fmt: skip
    return destination


def start(template: Path, folder: Path, older: Older, run: Run, **answers: object) -> Path:
    """Make a copy of the older version and keep it in git."""
    version = older.tag or OLDER
    project = copy(template, folder / "my-bench", older.answers_before | answers, version)
    init_and_commit(project, run)
    return project


def update(project: Path) -> None:
    """Update to the highest version."""
    copier.run_update(
        project, defaults=True, skip_answered=True, overwrite=True, quiet=True, unsafe=False
    )


def recopy(project: Path) -> None:
    """Start over with the highest version."""
    copier.run_recopy(
        project, defaults=True, skip_answered=True, overwrite=True, quiet=True, unsafe=False
    )


def run_result(results: Path) -> dict[str, object]:
    """Return the score of the only run, which has its files."""
    (run_folder,) = results.iterdir()
    names = {path.name for path in run_folder.iterdir() if path.is_file()}
    assert {"run_config.json", "final_score.json"} <= names
    return json.loads((run_folder / "final_score.json").read_text())
