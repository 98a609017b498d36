"""Whether the template has a newer release than the one that the project is made from."""

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

#: Seconds for the template's repository to list its tags.
_REMOTE_TIME = 20.0
_RELEASE = re.compile(r"^([0-9a-f]+)\trefs/tags/v(\d+\.\d+\.\d+)(?:\^\{\})?$", re.MULTILINE)
_SHORTHANDS = {"gh:": "https://github.com", "gl:": "https://gitlab.com"}


def repository_of(source: str) -> str:
    """Return what git takes for the template's address, which copier lets one abbreviate."""
    for shorthand, host in _SHORTHANDS.items():
        if source.startswith(shorthand):
            path = source.removeprefix(shorthand).removeprefix("/").removesuffix(".git")
            return f"{host}/{path}.git"
    if source.startswith("~"):
        return str(Path(source).expanduser())
    return source.removeprefix("git+")


async def check_releases(root: Path, answers: Answers) -> Finding:
    """Compare the template's newest release with what the project is made from."""
    commit = answers["_commit"]
    try:
        listed = await git(
            "ls-remote", "--tags", "--", repository_of(answers["_src_path"]),
            cwd=root, seconds=_REMOTE_TIME,
        )  # fmt: skip
    except ProgramError as error:
        command = in_project(root, *copier(root, "check-update"))
        return not_checked(f"the template's releases can't be listed: {error}", command=command)
    releases = {Version(number): name for name, number in _RELEASE.findall(listed)}
    if not releases:
        return ok(f"no release is out yet; this is commit {commit}")
    newest = max(releases)
    # A copy of a commit that was tagged later bears the commit's name still.
    mine = version_of_commit(commit) or next(
        (number for number, name in releases.items() if name.startswith(commit)), None
    )
    if mine is not None and mine >= newest:
        return ok(f"v{newest} is the newest release; this is {commit}")
    command = in_project(root, *update(root))
    return ok(f"v{newest} is out; this is {commit}", advice="Commit, then update:", command=command)
