"""The runner's git commit, and the versions of installed distributions."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

RUNTIME_DISTRIBUTION = "vals-benchmark-runner"
#: Seconds for a git command; a huge repository must not delay a run.
_GIT_TIME = 5.0
_OF_OUTER_GIT = frozenset({"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"})


@dataclass(frozen=True, slots=True)
class Code:
    """The git commit of the runner's code, and whether its files were edited, if known."""

    commit: str | None = None
    dirty: bool | None = None

    @classmethod
    def of(cls, project_root: Path | None) -> Code:
        """Return the state of the code in a project."""
        if project_root is None:
            return cls()
        commit = _git(project_root, "rev-parse", "--verify", "HEAD")
        # A repository around the project may not contain the project.
        if not commit or not _git(project_root, "ls-tree", "--name-only", "HEAD", "./"):
            return cls()
        changes = _git(project_root, "status", "--porcelain", "--untracked-files=no", "--", ".")
        return cls(commit, None if changes is None else bool(changes))


def installed_version(distribution: str) -> str:
    """Return the version of a distribution; ``dev`` if it is not installed."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "dev"


def git_environment() -> dict[str, str]:
    """Return the environment for git: it reads the repository around its folder, and locks none.

    A git command that started this process may have set variables of another repository.
    """
    kept = {name: value for name, value in os.environ.items() if name not in _OF_OUTER_GIT}
    return {**kept, "GIT_OPTIONAL_LOCKS": "0"}


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 (fixed arguments)
            ["git", "-C", str(folder), *arguments],  # noqa: S607 (wherever it is installed)
            env=git_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_GIT_TIME,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
