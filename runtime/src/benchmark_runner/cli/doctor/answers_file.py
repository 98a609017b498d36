"""The answers file, which every update of the template starts from."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

import yaml

from benchmark_runner._redaction import without_user_info
from benchmark_runner.cli.doctor.findings import Finding, fault, ok
from benchmark_runner.cli.doctor.fixes import copier, in_project
from benchmark_runner.cli.doctor.manifest import Manifest
from benchmark_runner.cli.doctor.processes import ProgramError, git
from benchmark_runner.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

Answers = dict[str, str]

ANSWERS_FILE = ".copier-answers.yml"
_NEEDED = ("_src_path", "_commit", "benchmark_name", "runtime_source")
_SSH = re.compile(r"ssh://[^/:@]*@|[^/:@]*@[^/:@]*:")
_TEMPLATE = "gh:vals-ai/create-benchmark-runner"


class AnswersError(Exception):
    """The answers can't be used; the message says why."""


def read_answers(root: Path) -> Answers:
    """Return the answers that are texts, once all are there that updates need.

    Raises:
        AnswersError: the file is missing or damaged.
    """
    try:
        text = (root / ANSWERS_FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise AnswersError(f"{ANSWERS_FILE} is missing") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise AnswersError(f"{ANSWERS_FILE} can't be read: {reason}") from None
    return parse_answers(text)


def parse_answers(text: str) -> Answers:
    """Return the answers that are texts, once all are there that updates need.

    Raises:
        AnswersError: the text is no YAML, or one is missing.
    """
    try:
        content: object = yaml.safe_load(text)
    except yaml.YAMLError as error:
        # Not its own words, which may be those of the file.
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


async def check_answers(root: Path) -> Finding:
    """See whether an update could start."""
    try:
        answers = read_answers(root)
    except AnswersError as error:
        if await _is_whole_in_git(root):
            command = in_project(root, ["git", "checkout", "HEAD", "--", ANSWERS_FILE])
            return fault(
                str(error), advice="Take back the file that was committed.", command=command
            )
        advice = "Make the file anew, with the answers that the copy was made with."
        return fault(str(error), advice=advice, command=_make_anew(root))
    source = _address(answers["_src_path"])
    return ok(f"made from {source} at {answers['_commit']}")


async def _is_whole_in_git(root: Path) -> bool:
    try:
        parse_answers(await git("show", f"HEAD:./{ANSWERS_FILE}", cwd=root))
    except (ProgramError, AnswersError):
        return False
    return True


def _make_anew(root: Path) -> str:
    """The command that writes the answers file and no other, from what else is known."""
    try:
        manifest = Manifest.of(root)
    except UsageError:
        manifest = Manifest()
    # A clone that is gone was of a trial; git is where everybody can go on from.
    source, revision, kind = _TEMPLATE, None, "git" if manifest.clone else "index"
    if manifest.rendered_version is not None:
        revision = f"v{manifest.rendered_version}"
    if manifest.clone is not None and (manifest.clone / ".git").exists():
        source, revision, kind = str(manifest.clone), "HEAD", "clone"
    elif manifest.git is not None:
        (source, revision), kind = manifest.git, "git"
    data = ["--data", f"runtime_source={kind}"]
    if name := manifest.name.removesuffix("-runner"):
        data += ["--data", f"benchmark_name={name}"]
    of_revision = ["--vcs-ref", revision] if revision else []
    only_it = ["--exclude", "*", "--exclude", f"!/{ANSWERS_FILE}"]
    copy = copier(root, "copy", *only_it, *data, *of_revision, _address(source), ".")
    return in_project(root, ["rm", "-f", ANSWERS_FILE], *copy)


def _address(source: str) -> str:
    """The source without secrets; the user name that SSH needs is none."""
    return source if _SSH.match(source) else without_user_info(source)
