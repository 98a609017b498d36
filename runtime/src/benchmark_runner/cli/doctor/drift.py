"""The framework's files, compared with what the template makes of the project's answers."""

import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from benchmark_runner._concurrency.thread_pool import run_in_thread
from benchmark_runner._project.manifest import MANIFEST
from benchmark_runner._redaction import without_user_info_in
from benchmark_runner.cli.doctor.answers_file import ANSWERS_FILE, Answers
from benchmark_runner.cli.doctor.findings import Finding, fault, not_checked, ok
from benchmark_runner.cli.doctor.fixes import copier, in_project
from benchmark_runner.cli.doctor.processes import ProgramError, call

__all__ = ["check_drift"]

#: Seconds to fetch and render the template.
_RENDERING_TIME = 60.0
#: The first line, but for that of a script, of a file that is the framework's as a whole.
_OWNED = re.compile(r"(?:#!.*\n)?# Owned by the framework\b")
#: A comment that an author may add lines below.
_SHARED = re.compile(r"\bbelow this line\b")
#: The one line of the template in a shared file that is the author's to change.
_AUTHORS_LINE = {MANIFEST: re.compile(r'version = ".*"')}
#: The files that an author may do without, and the answer that says so.
_OPTIONAL = {
    "Dockerfile": "docker=false",
    ".dockerignore": "docker=false",
    ".github/": "ci=false",
    "setup.sh": "orchestrator=none",
}


class _Change(NamedTuple):
    """A file that differs from the template's, and what differs if a line can say that."""

    name: str
    note: str = ""
    by_hand: bool = False  # the template's version would lose lines of the author's

    def __str__(self) -> str:
        return f"{self.name} ({self.note})" if self.note else self.name


async def check_drift(root: Path, answers: Answers) -> Finding:
    """Render the template again, in a temporary folder, and compare."""
    commit = answers["_commit"]
    recopy = ("recopy", "--overwrite", "--defaults", f"--vcs-ref={commit}")
    by_hand = in_project(root, *copier(root, *recopy, "--pretend"))
    program = _installed_copier()
    if program is None:
        return not_checked(
            "copier is not installed; with it, this shows the differences:", command=by_hand
        )
    try:
        rendered = await _rendered([*program, *recopy], root)
    except ProgramError as error:
        return not_checked(f"the template can't be rendered at {commit}: {error}", command=by_hand)
    changes = await run_in_thread(lambda: [*_changes(root, rendered)])
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


async def _rendered(recopy: Sequence[str], root: Path) -> dict[str, str]:
    """Return the framework's files, as the template makes them from the project's answers."""
    with TemporaryDirectory(prefix="doctor-", ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary)
        copy, scratch, settings = folder / "copy" / root.name, folder / "tmp", folder / "settings"
        copy.mkdir(parents=True)
        scratch.mkdir()
        shutil.copy(root / ANSWERS_FILE, copy)
        # A person's settings may trust a template with running code, which is not needed here.
        settings.write_text("{}\n", encoding="utf-8")
        environment = {"TMPDIR": str(scratch), "COPIER_SETTINGS_PATH": str(settings)}
        await call(
            *recopy, "--skip-tasks", "--quiet", copy,
            cwd=root, seconds=_RENDERING_TIME, environment=environment,
        )  # fmt: skip
        files = [path for path in sorted(copy.rglob("*")) if path.is_file()]
        texts = {str(path.relative_to(copy)): _text(path) for path in files}
        return {
            name: text for name, text in texts.items() if _OWNED.match(text) or _SHARED.search(text)
        }


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _changes(root: Path, rendered: Mapping[str, str]) -> Iterator[_Change]:
    for name, text in rendered.items():
        if not (root / name).is_file():
            yield _Change(name, "deleted")
            continue
        wanted, there = text.splitlines(), _text(root / name).splitlines()
        if not _SHARED.search(text):
            if wanted != there:
                yield _Change(name)
        elif (line := _first_missing(name, wanted, there)) is not None:
            yield _Change(name, f"without the line `{without_user_info_in(line).strip()}`", True)
        elif _OWNED.match(text) and (line := _first_foreign(wanted, there)) is not None:
            yield _Change(name, f"with the line `{without_user_info_in(line).strip()}`", True)


def _first_missing(name: str, wanted: Iterable[str], there: Iterable[str]) -> str | None:
    """Return the first of the wanted lines that is not among the others, in the same order."""
    authors, left = _AUTHORS_LINE.get(name), iter(there)
    for line in wanted:
        own = authors is not None and authors.fullmatch(line)
        if line.strip() and not own and line not in left:
            return line
    return None


def _first_foreign(wanted: Sequence[str], there: Iterable[str]) -> str | None:
    """Return the first line that is neither wanted nor below a comment that allows it."""
    place, below = 0, False
    for line in there:
        if place < len(wanted) and line == wanted[place]:
            below = bool(_SHARED.search(line)) or (below and not line.strip())
            place += 1
        elif line.strip() and not below:
            return line
    return None


def _advice(changes: Sequence[_Change]) -> Iterator[str]:
    if any(change.by_hand for change in changes):
        yield "Put missing lines back by hand; yours go below the comments, or into project.mk."
    deleted = [change.name for change in changes if change.note == "deleted"]
    answers = dict.fromkeys(
        answer for name in deleted for file, answer in _OPTIONAL.items() if name.startswith(file)
    )
    for answer in answers:
        yield f"To do without it, update with --data {answer}."
    if not all(change.by_hand for change in changes):
        yield "This restores the template's version of the files:"
