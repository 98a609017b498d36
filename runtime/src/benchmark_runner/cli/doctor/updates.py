"""Updates of the template: what the last one left to merge, and whether there is a newer one."""

import re
from pathlib import Path

from packaging.version import Version

from benchmark_runner._text import some_ids
from benchmark_runner.cli.doctor.answers_file import Answers, version_of_commit
from benchmark_runner.cli.doctor.findings import Finding, fault, not_checked, ok
from benchmark_runner.cli.doctor.fixes import copier, in_project, update
from benchmark_runner.cli.doctor.processes import ProgramError, call

__all__ = ["check_conflicts", "check_releases", "repository_of"]

#: As `make conflicts` of a copy, which works in a folder without a repository, too.
_GREP = ("git", "grep", "--no-index", "--exclude-standard", "-I")
#: Seconds for the template's repository to list its tags.
_REMOTE_TIME = 20.0
_RELEASE = re.compile(r"^([0-9a-f]+)\trefs/tags/v(\d+\.\d+\.\d+)(?:\^\{\})?$", re.MULTILINE)
_SHORTHANDS = {"gh:": "https://github.com", "gl:": "https://gitlab.com"}


async def check_conflicts(root: Path) -> Finding:
    """Search the files that git does not ignore for conflict markers and rejected changes.

    Raises:
        ProgramError: git can't search.
    """
    marked = await _grep(root, "--line-number", "--null", "--extended-regexp", "^(<{7}|>{7}) ")
    places = [":".join(line.split("\0")[:2]) for line in marked]
    places += await _grep(root, "--files-with-matches", "", "--", "*.rej")
    if not places:
        return ok("no conflict markers, and no rejected changes")
    return fault(
        f"conflict markers or rejected changes of an update: {some_ids(sorted(places))}",
        advice="Merge these places by hand, and delete the .rej files.",
    )


async def _grep(root: Path, *arguments: str) -> list[str]:
    # A repository around the project may ignore it.
    environment = {"GIT_CEILING_DIRECTORIES": str(root.parent)}
    # 1 means that nothing was found.
    found = await call(*_GREP, *arguments, cwd=root, environment=environment, accepted=(0, 1))
    return found.splitlines()


async def check_releases(root: Path, answers: Answers) -> Finding:
    """Compare the template's newest release with the project's."""
    commit = answers["_commit"]
    list_tags = ("git", "ls-remote", "--tags", "--", repository_of(answers["_src_path"]))
    try:
        listed = await call(*list_tags, cwd=root, seconds=_REMOTE_TIME)
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


def repository_of(source: str) -> str:
    """Return the address for git of a source that copier lets one abbreviate."""
    if host := _SHORTHANDS.get(source[:3]):
        return f"{host}/{source[3:].removeprefix('/').removesuffix('.git')}.git"
    if source.startswith("~"):
        return str(Path(source).expanduser())
    return source.removeprefix("git+")
