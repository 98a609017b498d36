"""Files of the framework that are no longer as the template made them.

The template itself says which files those are: rendered again over files that are spoilt on
purpose, it restores its own and leaves the author's.
"""

from __future__ import annotations

import re
import shutil
import sys
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmark_runner._concurrency.thread_pool import beside_loop
from benchmark_runner.cli.doctor.answers_file import ANSWERS_FILE, Answers
from benchmark_runner.cli.doctor.findings import Finding, fault, not_checked, ok
from benchmark_runner.cli.doctor.fixes import copier, in_project
from benchmark_runner.cli.doctor.manifest import MANIFEST
from benchmark_runner.cli.doctor.processes import ProgramError, call, without_credentials

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

#: Seconds for the template to be fetched and rendered.
_RENDERING_TIME = 60.0
#: A file with such a comment takes the author's lines, too: where it is the framework's
#: otherwise, only there.
_OWNED = re.compile(r"# Owned by the framework\b")
_SHARED = re.compile(r"\bbelow this line\b")
#: The one line of the template in a shared file that is the author's to change.
_AUTHORS_LINE = {MANIFEST: re.compile(r'version = ".*"')}
#: What the author may do without, if the template knows.
_OPTIONAL = ("Dockerfile", ".dockerignore", ".github/")
_SPOILT = b"spoilt on purpose\n"


@dataclass(frozen=True, slots=True)
class Change:
    """How a file differs from the template's.

    Attributes:
        name: The file.
        lacks: The first of the template's lines that a file with the author's lines has no more.
        adds: The first of the author's lines that is not where they go.
        gone: Whether it was deleted.
    """

    name: str
    lacks: str | None = None
    adds: str | None = None
    gone: bool = False

    def __str__(self) -> str:
        if self.lacks is not None:
            return f"{self.name} (without the line `{without_credentials(self.lacks).strip()}`)"
        if self.adds is not None:
            return f"{self.name} (with the line `{without_credentials(self.adds).strip()}`)"
        return f"{self.name} (deleted)" if self.gone else self.name

    @property
    def by_hand(self) -> bool:
        """Whether the template's version of the file would lose lines of the author's."""
        return self.lacks is not None or self.adds is not None


async def check_drift(root: Path, answers: Answers) -> Finding:
    """Render the template again, in a folder of its own, and compare."""
    commit = answers["_commit"]
    recopy = ("recopy", "--overwrite", "--defaults", f"--vcs-ref={commit}")
    program = _installed_copier()
    by_hand = in_project(root, *copier(root, *recopy, "--pretend"))
    if program is None:
        return not_checked(
            "copier is not installed; with it, this shows the differences:", command=by_hand
        )
    try:
        rendered = await _rendered([*program, *recopy], root)
    except ProgramError as error:
        return not_checked(f"the template can't be rendered at {commit}: {error}", command=by_hand)
    changes = await beside_loop(lambda: [*_changes(root, rendered)])
    if not changes:
        return ok("the framework's files are as the template made them")
    whole = [f"!/{change.name}" for change in changes if not change.by_hand]
    only = [word for name in ("*", *whole) for word in ("--exclude", name)]
    return fault(
        f"not as the template made them: {', '.join(map(str, changes))}",
        advice=" ".join(_advice(changes)),
        command=in_project(root, *copier(root, *recopy, *only)) if whole else None,
    )


def _installed_copier() -> list[str] | None:
    if found := shutil.which("copier"):
        return [found]
    return [sys.executable, "-m", "copier"] if find_spec("copier") else None


async def _rendered(recopy: Sequence[str], root: Path) -> dict[str, bytes]:
    """The framework's files, as the template makes them from the project's answers."""
    with TemporaryDirectory(prefix="doctor-", ignore_cleanup_errors=True) as folder:
        copy, environment = _prepared(Path(folder), root)
        render = partial(
            call, *recopy, "--skip-tasks", "--quiet", copy,
            cwd=root, seconds=_RENDERING_TIME, environment=environment,
        )  # fmt: skip
        await render()
        names = _spoil(copy)
        await render()
        return {name: text for name in names if (text := (copy / name).read_bytes()) != _SPOILT}


def _prepared(folder: Path, root: Path) -> tuple[Path, dict[str, str]]:
    """Make the copy's folder, with the answers alone, and the environment to render it in."""
    copy, scratch, settings = folder / "copy" / root.name, folder / "scratch", folder / "settings"
    copy.mkdir(parents=True)
    scratch.mkdir()
    shutil.copy(root / ANSWERS_FILE, copy)
    # A person's settings may trust a template with running code; a look needs none.
    settings.write_text("{}\n", encoding="utf-8")
    return copy, {"TMPDIR": str(scratch), "COPIER_SETTINGS_PATH": str(settings)}


def _spoil(copy: Path) -> list[str]:
    """Overwrite every file but the answers, and return their names."""
    files = [path for path in sorted(copy.rglob("*")) if path.is_file()]
    spoilt = [path for path in files if path != copy / ANSWERS_FILE]
    for path in spoilt:
        path.write_bytes(_SPOILT)
    return [str(path.relative_to(copy)) for path in spoilt]


def _changes(root: Path, rendered: Mapping[str, bytes]) -> Iterator[Change]:
    for name, content in rendered.items():
        if not (root / name).is_file():
            yield Change(name, gone=True)
            continue
        wanted = content.decode("utf-8", "replace").splitlines()
        there = (root / name).read_text(encoding="utf-8", errors="replace").splitlines()
        if not _SHARED.search("\n".join(wanted)):
            if wanted != there:
                yield Change(name)
        elif (lacks := _first_missing(name, wanted, there)) is not None:
            yield Change(name, lacks)
        elif _OWNED.match(wanted[0]) and (adds := _first_foreign(wanted, there)) is not None:
            yield Change(name, adds=adds)


def _first_missing(name: str, wanted: Iterable[str], there: Iterable[str]) -> str | None:
    """The first of the wanted lines that is not among the others, in the same order."""
    authors, left = _AUTHORS_LINE.get(name), iter(there)
    for line in wanted:
        own = authors is not None and authors.fullmatch(line)
        if line.strip() and not own and line not in left:
            return line
    return None


def _first_foreign(wanted: Sequence[str], there: Iterable[str]) -> str | None:
    """The first of the lines that is neither wanted nor below a comment that lets it be there."""
    place, below = 0, False
    for line in there:
        if place < len(wanted) and line == wanted[place]:
            below = bool(_SHARED.search(line)) or (below and not line.strip())
            place += 1
        elif line.strip() and not below:
            return line
    return None


def _advice(changes: Sequence[Change]) -> Iterator[str]:
    if any(change.by_hand for change in changes):
        yield "Put missing lines back by hand; yours go below the comments, or into project.mk."
    if any(change.gone and change.name.startswith(_OPTIONAL) for change in changes):
        yield "To go without Docker or CI, update with --data docker=false or --data ci=false."
    if not all(change.by_hand for change in changes):
        yield "This takes the template's version of the files:"
