"""The newest releases of inspect-ai, each in a virtual environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

PACKAGE = "inspect-ai"
#: What a release is to be tested with: its readers make data frames.
BESIDE = ("pandas", "pyarrow")
#: The newest release, and those before it, by their age.
AGES = ("newest", "second", "third")
READERS = Path(__file__).parent / "readers"
#: Seconds for one reader, and for an installation.
TOO_LONG, TOO_LONG_TO_INSTALL = 120, 600


@dataclass
class Release:
    """A release of inspect-ai, installed in a folder when it is first needed.

    Attributes:
        age: ``newest`` or another of :data:`AGES`.
        folder: Where its environment is made.
    """

    age: str
    folder: Path
    _read: dict[tuple[str, ...], Any] = field(default_factory=dict[tuple[str, ...], Any])

    @cached_property
    def version(self) -> str:
        """The version, which the registry tells."""
        return newest_versions()[AGES.index(self.age)]

    @cached_property
    def python(self) -> Path:
        """The interpreter of its environment."""
        where = self.folder / self.version
        python = where / "bin" / "python"
        _run("uv", "venv", "--quiet", "--python", sys.executable, where)
        packages = (f"{PACKAGE}=={self.version}", *BESIDE)
        _run("uv", "pip", "install", "--quiet", "--python", python, *packages)
        return python

    def install(self, *packages: str | Path) -> None:
        """Install more into its environment."""
        _run("uv", "pip", "install", "--quiet", "--python", self.python, *packages)

    def read(self, reader: str, *args: str | Path) -> Any:
        """Run one of the programs in ``readers/`` once, and return the JSON that it prints."""
        key = (reader, *map(str, args))
        if key not in self._read:
            command = (self.python, READERS / f"{reader}.py", *args)
            self._read[key] = json.loads(self.call(*command).stdout)
        return self._read[key]

    def command(self, *args: str | Path, **where: Any) -> subprocess.CompletedProcess[str]:
        """Run the command line of inspect."""
        return self.call(self.python.parent / "inspect", *args, **where)

    def call(
        self, *command: str | Path, cwd: Path | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of its environment, which must succeed."""
        done = subprocess.run(
            command,
            cwd=cwd,
            env=own_environment(self.folder) | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TOO_LONG,
            check=False,
        )
        assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
        return done


def own_environment(home: Path) -> dict[str, str]:
    """Return an environment in which inspect keeps to a folder, and to no colours."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "HOME": str(home), "NO_COLOR": "1", "INSPECT_DISPLAY": "plain"}


def newest_versions() -> list[str]:
    """Return the newest versions of inspect-ai that the registry has, the newest first."""
    pip = (sys.executable, "-m", "pip", "index", "versions", "--json", PACKAGE)
    found: list[str] = json.loads(_run(*pip))["versions"]
    assert len(found) >= len(AGES), found
    return found[: len(AGES)]


def _run(*command: str | Path) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=TOO_LONG_TO_INSTALL, check=False
    )
    assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
    return done.stdout
