"""The answers file, which every update of the template needs."""

import re
from pathlib import Path
from typing import cast

import yaml
from packaging.version import InvalidVersion, Version

from benchmark_runner._redaction import without_user_info
from benchmark_runner.cli.doctor.findings import Finding, fault, ok
from benchmark_runner.cli.doctor.fixes import copier, in_project
from benchmark_runner.cli.doctor.manifest import Manifest
from benchmark_runner.cli.doctor.processes import ProgramError, call
from benchmark_runner.errors import UsageError

__all__ = [
    "ANSWERS_FILE",
    "Answers",
    "AnswersError",
    "check_answers",
    "read_answers",
    "version_of_commit",
]

Answers = dict[str, str]

ANSWERS_FILE = ".copier-answers.yml"
_NEEDED = ("_src_path", "_commit", "benchmark_name", "runtime_source")
_SSH = re.compile(r"ssh://[^/:@]*@|[^/:@]*@[^/:@]*:")
#: What git says of a commit: its tag, or the last one before it.
_DESCRIBED = re.compile(r"v(\d+\.\d+\.\d+\S*?)(?:-\d+-g[0-9a-f]+)?")
_TEMPLATE = "gh:vals-ai/create-benchmark-runner"


class AnswersError(Exception):
    """The answers can't be used; the message says why."""


def read_answers(root: Path) -> Answers:
    """Return the answers that are texts.

    Raises:
        AnswersError: the file is missing or damaged.
    """
    try:
        return _parse((root / ANSWERS_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise AnswersError(f"{ANSWERS_FILE} is missing") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise AnswersError(f"{ANSWERS_FILE} can't be read: {reason}") from None


def version_of_commit(commit: str) -> Version | None:
    """Return the release that ``_commit`` is or comes after; ``None`` where it names no tag."""
    described = _DESCRIBED.fullmatch(commit)
    try:
        return Version(described[1]) if described else None
    except InvalidVersion:
        return None


async def check_answers(root: Path) -> Finding:
    """Check that the file has all that an update needs."""
    try:
        answers = read_answers(root)
    except AnswersError as error:
        try:
            _parse(await call("git", "show", f"HEAD:./{ANSWERS_FILE}", cwd=root))
        except (ProgramError, AnswersError):
            advice = "Write a new file, with the answers that the copy was made with."
            return fault(str(error), advice=advice, command=_copy_command(root))
        command = in_project(root, ["git", "checkout", "HEAD", "--", ANSWERS_FILE])
        return fault(str(error), advice="Restore the committed file.", command=command)
    source = answers["_src_path"]
    if _is_of_another_folder(source, root):
        message = f"made from {source}, a path that an update can't find from here"
        advice = f"Write the absolute path into {ANSWERS_FILE}, as _src_path."
        return fault(message, advice=advice)
    return ok(f"made from {_address(source)} at {answers['_commit']}")


def _is_of_another_folder(source: str, root: Path) -> bool:
    """Return True if the source is a path relative to the folder that copier was called in."""
    relative = ":" not in source and not Path(source).expanduser().is_absolute()
    return relative and not (root / source).is_dir()


def _parse(text: str) -> Answers:
    try:
        content: object = yaml.safe_load(text)
    except yaml.YAMLError as error:
        # Its own message may quote the file.
        mark = cast("yaml.Mark | None", getattr(error, "problem_mark", None))
        where = f", at line {mark.line + 1}" if mark else ""
        raise AnswersError(f"{ANSWERS_FILE} is damaged: no YAML{where}") from None
    items = cast("dict[object, object]", content).items() if isinstance(content, dict) else ()
    answers = {str(name): value for name, value in items if isinstance(value, str) and value}
    missing = [name for name in _NEEDED if name not in answers]
    if missing == ["_commit"]:
        raise AnswersError(
            f"{ANSWERS_FILE} names no _commit: the copy was made from a folder without git, "
            "so there can be no updates"
        )
    if missing:
        raise AnswersError(f"{ANSWERS_FILE} is damaged: it lacks {', '.join(missing)}")
    return answers


def _copy_command(root: Path) -> str:
    """Return the command that writes the answers file only, from what the manifest says."""
    try:
        manifest = Manifest.of(root)
    except UsageError:
        manifest = Manifest()
    # A clone that is gone was for a trial; everybody can use git.
    source, revision, kind = _TEMPLATE, None, "git" if manifest.clone else "index"
    if manifest.rendered_version is not None:
        revision = f"v{manifest.rendered_version}"
    if manifest.clone is not None and (manifest.clone / ".git").exists():
        source, revision, kind = str(manifest.clone), "HEAD", "clone"
    elif manifest.git is not None:
        (source, revision), kind = manifest.git, "git"
    options = ["--exclude", "*", "--exclude", f"!/{ANSWERS_FILE}"]
    options += ["--data", f"runtime_source={kind}"]
    if name := manifest.name.removesuffix("-runner"):
        options += ["--data", f"benchmark_name={name}"]
    if revision:
        options += ["--vcs-ref", revision]
    copy = copier(root, "copy", *options, _address(source), ".")
    return in_project(root, ["rm", "-f", ANSWERS_FILE], *copy)


def _address(source: str) -> str:
    """Return the source without secrets; the user name that SSH needs is none."""
    return source if _SSH.match(source) else without_user_info(source)
