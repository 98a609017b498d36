"""The installed runtime, compared with the version that the project needs."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from benchmark_runner._versions import RUNTIME_DISTRIBUTION
from benchmark_runner.cli.doctor.answers_file import AnswersError, read_answers
from benchmark_runner.cli.doctor.findings import Finding, fault, ok
from benchmark_runner.cli.doctor.fixes import in_project, install
from benchmark_runner.cli.doctor.manifest import MANIFEST, Manifest

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["check_runtime", "version_of_commit"]

#: What git says of a commit: its tag, or the last one before it.
_DESCRIBED = re.compile(r"v(\d+\.\d+\.\d+\S*?)(?:-\d+-g[0-9a-f]+)?")


def version_of_commit(commit: str) -> Version | None:
    """Return the release that ``_commit`` is or comes after; ``None`` where it names no tag."""
    described = _DESCRIBED.fullmatch(commit)
    try:
        return Version(described[1]) if described else None
    except InvalidVersion:
        return None


async def check_runtime(root: Path) -> Finding:
    """Compare the installed runtime with the dependency, and with the template's version."""
    manifest = Manifest.of(root)
    command = in_project(root, install(root))
    if manifest.runtime is None:
        return fault(
            f"{MANIFEST} does not ask for {RUNTIME_DISTRIBUTION}",
            advice=f'Put "{RUNTIME_DISTRIBUTION}" back into its dependencies, and install.',
            command=command,
        )
    try:
        installed = Version(version(RUNTIME_DISTRIBUTION))
    except PackageNotFoundError:
        return fault(f"{RUNTIME_DISTRIBUTION} is not installed", command=command)
    found = f"{RUNTIME_DISTRIBUTION} {installed} is installed"
    needed = manifest.runtime.specifier
    if not needed.contains(installed, prereleases=True):
        return fault(f"{found}, but {MANIFEST} asks for {needed}", command=command)
    rendered = _rendered_with(root, manifest)
    if rendered is not None and installed < rendered:
        return fault(f"{found}, but the template's files are those of {rendered}", command=command)
    return ok(f"{found}, as {MANIFEST} asks for")


def _rendered_with(root: Path, manifest: Manifest) -> Version | None:
    try:
        of_commit = version_of_commit(read_answers(root)["_commit"])
    except AnswersError:
        of_commit = None
    known = [each for each in (of_commit, manifest.rendered_version) if each is not None]
    return max(known, default=None)
