"""The project's ``pyproject.toml``, as far as it concerns the framework."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from benchmark_runner._project.manifest import MANIFEST, Table, table_in
from benchmark_runner._versions import RUNTIME_DISTRIBUTION
from benchmark_runner.errors import UsageError

__all__ = ["Manifest"]

_LOWER_BOUNDS = frozenset({">=", "==", "~="})


@dataclass(frozen=True, slots=True)
class Manifest:
    """A project's name, its dependencies by normalized name, and uv's source of the runtime."""

    name: str = ""
    requirements: dict[str, Requirement] = field(default_factory=dict[str, Requirement])
    source: Table = field(default_factory=dict[str, object])

    @classmethod
    def of(cls, root: Path) -> Manifest:
        """Read the file at the project's root.

        Raises:
            UsageError: it is missing or malformed.
        """
        try:
            content: Table = tomllib.loads((root / MANIFEST).read_text("utf-8"))
        except OSError as error:
            raise UsageError(f"{MANIFEST} can't be read: {error.strerror}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            hint = "Correct it; `git diff HEAD` shows what has changed since the last commit."
            raise UsageError(f"{MANIFEST} is malformed: {error}", hint=hint) from None
        project = table_in(content, "project")
        return cls(
            str(project.get("name", "")),
            dict(_requirements(project.get("dependencies"))),
            table_in(content, "tool", "uv", "sources", RUNTIME_DISTRIBUTION),
        )

    @property
    def runtime(self) -> Requirement | None:
        """The dependency on the runtime."""
        return self.requirements.get(RUNTIME_DISTRIBUTION)

    @property
    def rendered_version(self) -> Version | None:
        """The runtime's version when the template wrote the line: its lower bound."""
        specifiers = self.runtime.specifier if self.runtime else ()
        bounds = (each.version for each in specifiers if each.operator in _LOWER_BOUNDS)
        return max((Version(bound.removesuffix(".*")) for bound in bounds), default=None)

    @property
    def clone(self) -> Path | None:
        """The template's clone on this machine that the runtime is installed from."""
        path = self.source.get("path")
        return Path(path).parent if isinstance(path, str) else None

    @property
    def git(self) -> tuple[str, str] | None:
        """The URL and the commit of the repository that the runtime is installed from."""
        url, commit = self.source.get("git"), self.source.get("rev")
        return (url, commit) if isinstance(url, str) and isinstance(commit, str) else None


def _requirements(listed: object) -> Iterator[tuple[str, Requirement]]:
    for text in cast("list[object]", listed) if isinstance(listed, list) else []:
        try:
            requirement = Requirement(str(text))
        except InvalidRequirement:  # an installer reports it
            continue
        yield canonicalize_name(requirement.name), requirement
