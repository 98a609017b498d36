"""Goal 7: how long an author waits for a copy of the template, beyond what copier itself needs.

That is what it needs for a template that asks nothing and holds nothing. Both are copied by the
same command, from clones of git repositories, ours of the last commit here, and packed as one
that came over the network.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.figures import Figure, main, medians
from tests.benchmarks.project import REPOSITORY, run

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Seconds that our template may add.
_ALLOWED = 0.2


def measure(quick: bool) -> Iterator[Figure]:
    """Compare the seconds."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        root = Path(folder)
        _git(root, "clone", "--quiet", "--no-local", REPOSITORY, root / "ours")
        copies = (root / f"copy-{number}" / "my-bench" for number in count())

        def copy(template: Path, made: str) -> None:
            destination = next(copies)
            command = [sys.executable, "-m", "copier", "copy", "--defaults", "--vcs-ref", "HEAD"]
            own = {
                "GIT_CONFIG_GLOBAL": "/dev/null",
                "COPIER_SETTINGS_PATH": str(root / "settings.yml"),
                "COPIER_CACHE_DIR": str(root / "cache"),
            }
            run([*command, template, destination], root, **own)
            assert {path.name for path in destination.iterdir()} >= {made}

        ours, other = medians(
            partial(copy, root / "ours", "runner"),
            partial(copy, _empty(root / "empty"), ".gitkeep"),
            times=3 if quick else 21,
        )
    yield Figure(
        goal="7 copying the template",
        ours=ours,
        other=other,
        other_is="an empty template",
        unit="s",
    )
    yield Figure(
        goal="7 copying, what the template adds",
        ours=ours - other,
        other=_ALLOWED,
        other_is="allowed",
        unit="s",
        at_most=1,
    )


def _empty(repository: Path) -> Path:
    """Make a template without questions."""
    (repository / "template").mkdir(parents=True)
    (repository / "copier.yml").write_text("_subdirectory: template\n")
    (repository / "template" / ".gitkeep").touch()  # git keeps no empty folder
    _git(repository, "init", "--quiet")
    _git(repository, "add", "--all")
    author = ["-c", "user.name=Nobody", "-c", "user.email=nobody@example.com"]
    _git(repository, *author, "commit", "--quiet", "--message", "Begin")
    return repository


def _git(folder: Path, *arguments: str | Path) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True)


if __name__ == "__main__":
    main(measure)
