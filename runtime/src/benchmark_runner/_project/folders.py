"""The folders of a runner: project root, package, data; and its ``.env`` file."""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmark_runner._project.manifest import MANIFEST
from benchmark_runner._start_state import start_folder
from benchmark_runner.errors import UsageError

_ROOT_MARKERS = (".copier-answers.yml", MANIFEST)
_INSTALLED = frozenset({"site-packages", "dist-packages"})


@dataclass(frozen=True, slots=True)
class Project:
    """The folders of one runner: its root, ``None`` for an installed wheel, and its module's."""

    root: Path | None
    package: Path

    @classmethod
    def of(cls, runner_class: type) -> Project:
        """Return the project of a runner class."""
        return cls.of_file(cls.file_of(runner_class))

    @staticmethod
    def file_of(runner_class: type) -> Path:
        """Return the file of a runner class."""
        module = sys.modules.get(runner_class.__module__)
        return Path(getattr(module, "__file__", None) or inspect.getfile(runner_class))

    @classmethod
    def of_file(cls, module_file: Path) -> Project:
        """Return the project of a module."""
        package = module_file.resolve().parent
        return cls(root=_root_above(package), package=package)

    def data_path(self, relative: str) -> Path:
        """Return the path of a data file: below the root if it is there, else in the package."""
        candidates = [base / relative for base in (self.root, self.package) if base is not None]
        return next((path for path in candidates if path.exists()), candidates[0])

    def results_path(self, relative: str) -> Path:
        """Return the default results folder: below the root, else in the working directory."""
        return (self.root or start_folder()) / relative

    def load_env(self) -> None:
        """Set variables from ``.env`` at the project root, unless the environment has them.

        Raises:
            UsageError: the file can't be read.
        """
        if self.root is None or not (file := self.root / ".env").is_file():
            return
        from dotenv import load_dotenv

        try:
            load_dotenv(file, override=False, encoding="utf-8-sig")
        except (OSError, ValueError) as error:
            # not its own message, which may quote the file
            reason = getattr(error, "strerror", None) or "not UTF-8 text"
            raise UsageError(
                f"{file}: can't be read: {reason}",
                hint="Correct the file, or remove it and set the environment instead.",
            ) from None


def _root_above(package: Path) -> Path | None:
    for folder in (package, *package.parents):
        if folder.name in _INSTALLED:
            return None
        if any((folder / marker).is_file() for marker in _ROOT_MARKERS):
            return folder
    return None
