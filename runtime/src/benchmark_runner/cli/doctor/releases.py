"""The template's newest release, compared with the one that the project is made from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.version import Version

from benchmark_runner.cli.doctor.findings import Finding, not_checked, ok
from benchmark_runner.cli.doctor.fixes import copier, in_project, update
from benchmark_runner.cli.doctor.processes import ProgramError, git
from benchmark_runner.cli.doctor.versions import version_of_commit

if TYPE_CHECKING:
    from benchmark_runner.cli.doctor.answers_file import Answers

__all__ = ["check_releases", "repository_of"]

#: Seconds for the template's repository to list its tags.
_REMOTE_TIME = 20.0
_RELEASE = re.compile(r"^([0-9a-f]+)\trefs/tags/v(\d+\.\d+\.\d+)(?:\^\{\})?$", re.MULTILINE)
_SHORTHANDS = {"gh:": "https://github.com", "gl:": "https://gitlab.com"}


def repository_of(source: str) -> str:
    """Return the address for git of a source that copier lets one abbreviate."""
    if host := _SHORTHANDS.get(source[:3]):
        return f"{host}/{source[3:].removeprefix('/').removesuffix('.git')}.git"
    if source.startswith("~"):
        return str(Path(source).expanduser())
    return source.removeprefix("git+")


async def check_releases(root: Path, answers: Answers) -> Finding:
    """Compare the template's newest release with the project's."""
    commit = answers["_commit"]
    address = repository_of(answers["_src_path"])
    try:
        listed = await git("ls-remote", "--tags", "--", address, cwd=root, seconds=_REMOTE_TIME)
    except ProgramError as error:
        command = in_project(root, *copier(root, "check-update"))
        return not_checked(f"the template's releases can't be listed: {error}", command=command)
    releases = {Version(number): name for name, number in _RELEASE.findall(listed)}
    if not releases:
        return ok(f"no release is out yet; this is commit {commit}")
    newest = max(releases)
    # The answers of a copy name the commit, also where it was tagged later.
    mine = version_of_commit(commit) or next(
        (number for number, name in releases.items() if name.startswith(commit)), None
    )
    if mine is not None and mine >= newest:
        return ok(f"v{newest} is the newest release; this is {commit}")
    command = in_project(root, *update(root))
    return ok(f"v{newest} is out; this is {commit}", advice="Commit, then update:", command=command)
