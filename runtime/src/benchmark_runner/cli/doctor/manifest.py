"""What the project's ``pyproject.toml`` asks for."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from benchmark_runner._versions import RUNTIME_DISTRIBUTION
from benchmark_runner.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

MANIFEST = "pyproject.toml"
_LOWER_BOUNDS = frozenset({">=", "==", "~="})


@dataclass(frozen=True, slots=True)
class Manifest:
    """The part of it that concerns the framework.

    Attributes:
        name: The project's name.
        requirements: What it depends on, by normalized name.
        source: Where uv takes the runtime from, where that is not the package index.
    """

    name: str = ""
    requirements: dict[str, Requirement] = field(default_factory=dict[str, Requirement])
    source: dict[str, object] = field(default_factory=dict[str, object])

    @classmethod
    def of(cls, root: Path) -> Manifest:
        """Read it.

        Raises:
            UsageError: it is missing or malformed.
        """
        try:
            content: dict[str, object] = tomllib.loads((root / MANIFEST).read_text("utf-8"))
        except OSError as error:
            raise UsageError(f"{MANIFEST} can't be read: {error.strerror}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            hint = "Correct it; `git diff HEAD` shows what has changed since the last commit."
            raise UsageError(f"{MANIFEST} is malformed: {error}", hint=hint) from None
        project = _table(content, "project")
        sources = _table(_table(_table(content, "tool"), "uv"), "sources")
        return cls(
            str(project.get("name", "")),
            dict(_requirements(project.get("dependencies"))),
            _table(sources, RUNTIME_DISTRIBUTION),
        )

    @property
    def runtime(self) -> Requirement | None:
        """What it asks of the runtime."""
        return self.requirements.get(RUNTIME_DISTRIBUTION)

    @property
    def rendered_version(self) -> Version | None:
        """The runtime's version when the template wrote the line: its lower bound."""
        specifiers = self.runtime.specifier if self.runtime else ()
        bounds = (each.version for each in specifiers if each.operator in _LOWER_BOUNDS)
        return max((Version(bound.removesuffix(".*")) for bound in bounds), default=None)

    @property
    def clone(self) -> Path | None:
        """The template's clone on this machine that the runtime is taken from."""
        path = self.source.get("path")
        return Path(path).parent if isinstance(path, str) else None

    @property
    def git(self) -> tuple[str, str] | None:
        """The URL and the commit of the repository that the runtime is taken from."""
        url, commit = self.source.get("git"), self.source.get("rev")
        return (url, commit) if isinstance(url, str) and isinstance(commit, str) else None


def _table(parent: dict[str, object], name: str) -> dict[str, object]:
    value = parent.get(name)
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _requirements(listed: object) -> Iterator[tuple[str, Requirement]]:
    for text in cast("list[object]", listed) if isinstance(listed, list) else []:
        try:
            requirement = Requirement(str(text))
        except InvalidRequirement:  # an installer will say so
            continue
        yield canonicalize_name(requirement.name), requirement
