"""``create-benchmark-runner`` as a process, with real git and the real copier.

The public template is a repository on this machine: git is told to look there for its URL.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import yaml

import benchmark_runner
from benchmark_runner.create import TEMPLATE_URL

#: Where the runtime under test is, for processes that the tests start.
RUNTIME = Path(benchmark_runner.__file__).parents[1]
VERSION = "1.2.3"
PROGRAM = "from benchmark_runner.create import main; main()"


@dataclass(frozen=True)
class Ended:
    """How the command ended."""

    code: int
    out: str
    err: str


@dataclass
class Command:
    """The console script in a folder, where the runtime's version and the template are given."""

    folder: Path
    template: Path
    version: str = VERSION
    python: list[str] = field(default_factory=lambda: [sys.executable])
    environment: dict[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: str | Path) -> Ended:
        done = subprocess.run(
            self.line(*arguments),
            cwd=self.folder,
            env=self.env(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Ended(done.returncode, done.stdout, done.stderr)

    def line(self, *arguments: str | Path) -> list[str]:
        return [*self.python, "-c", PROGRAM, *map(str, arguments)]

    def env(self) -> dict[str, str]:
        installed = self.folder.parent / "installed"
        metadata = installed / f"vals_benchmark_runner-{self.version}.dist-info" / "METADATA"
        metadata.parent.mkdir(parents=True, exist_ok=True)
        metadata.write_text(
            f"Metadata-Version: 2.1\nName: vals-benchmark-runner\nVersion: {self.version}\n"
        )
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join((str(installed), str(RUNTIME))),
            "COPIER_CACHE_DIR": str(self.folder.parent / "cache"),  # no clone of another test
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.file://{self.template}.insteadOf",
            "GIT_CONFIG_VALUE_0": TEMPLATE_URL,
            **self.environment,
        }

    def made(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())

    def answers(self, name: str = "my-bench-runner") -> dict[str, object]:
        return yaml.safe_load((self.folder / name / ".copier-answers.yml").read_text())


def program(folder: Path, name: str, text: str) -> str:
    """A PATH whose first folder has a program of that name."""
    (folder / "bin").mkdir()
    script = folder / "bin" / name
    script.write_text(text)
    script.chmod(0o755)
    return os.pathsep.join((str(script.parent), os.environ["PATH"]))
