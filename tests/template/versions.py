"""Older versions of the template: the released ones, and what a release has yet to undo.

Each of the latter is the working tree without a change that a release typically brings, so
that updating from it to the working tree brings that change.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.template.edits import ADDITIONS, line_of, replace

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
OLDER = "v0.0.1"
#: Higher than any release, and so what copier updates to.
NEWER = "v9999.0.0"

#: Where each file of a copy is made from.
SOURCES = {
    "pyproject.toml": "pyproject.toml.jinja",
    ".gitignore": ".gitignore.jinja",
    ".dockerignore": "{% if docker %}.dockerignore{% endif %}",
    "Dockerfile": "{% if docker %}Dockerfile{% endif %}.jinja",
    "Makefile": "Makefile.jinja",
    ".github/workflows/ci.yml": "{% if ci %}.github{% endif %}/workflows/ci.yml",
    "AGENTS.md": "AGENTS.md.jinja",
}


def as_it_is(repo: Path) -> None:
    """Change nothing."""


@dataclass(frozen=True)
class Older:
    """An older version of the template, and how one gets from there to the working tree."""

    name: str
    #: Makes the older version of the working tree, in a clone.
    undo: Callable[[Path], None] = as_it_is
    #: What the newer version has beside the working tree, in a clone.
    also: Callable[[Path], None] = as_it_is
    #: A release of this repository; nothing is made then.
    tag: str | None = None
    #: Answers that only one of the two knows.
    answers_before: dict[str, object] = field(default_factory=dict)
    answers_after: dict[str, object] = field(default_factory=dict)


def source(repo: Path, name: str) -> Path:
    """Where a file of a copy is made from."""
    return repo / "template" / SOURCES[name]


def question(copier_yml: str, name: str) -> str:
    """The lines of a question, with the blank line after it."""
    found = re.search(rf"(?ms)^{name}:\n.*?\n\n(?=\S)", copier_yml)
    assert found is not None, name
    return found[0]


def without_a_framework_file(repo: Path) -> None:
    """A file that the framework owns is not there yet."""
    (repo / "template/tests/test_runner_contract.py.jinja").unlink()


def with_files_since_dropped(repo: Path) -> None:
    """A file of the framework, and a starter that is the author's, are still there."""
    (repo / "template/scripts").mkdir()
    (repo / "template/scripts/check.sh").write_text("# Owned by the framework.\n")
    (repo / "template/data/more.json").write_text("[]\n")


def with_a_file_not_yet_the_authors(repo: Path) -> None:
    """A file that has become the author's is still the framework's, and another text."""
    for line in (
        "  - /runner/cli.py\n",
        "  - \"{% if _copier_operation == 'update' %}/runner/cli.py{% endif %}\"\n",
        "  - /tests/__init__.py\n",
        "  - \"{% if _copier_operation == 'update' %}/tests/__init__.py{% endif %}\"\n",
    ):
        replace(repo / "copier.yml", line, "")
    for name in ("runner/cli.py.jinja", "tests/__init__.py"):
        path = repo / "template" / name
        path.write_text(f"# Owned by the framework.\n{path.read_text()}")


def without_a_question(repo: Path) -> None:
    """What is asked by now was fixed."""
    copier_yml = repo / "copier.yml"
    replace(copier_yml, question(copier_yml.read_text(), "service_url"), "")
    for name in (".env.example.jinja", "runner/cli.py.jinja"):
        replace(repo / "template" / name, "{{ service_url }}", "local")
    local = "{% if service_url == 'local' %}, evaluated locally{% endif %}"
    replace(repo / "template/AGENTS.md.jinja", local, ", evaluated locally")


def with_a_question_of_another_name(repo: Path) -> None:
    """A question has its earlier name."""
    copier_yml = repo / "copier.yml"
    block = question(copier_yml.read_text(), "description")
    replace(copier_yml, block, re.sub(r"^description|\bdescription(?= \|)", "summary", block))
    for name in ("pyproject.toml.jinja", "README.md.jinja"):
        replace(repo / "template" / name, "{{ description", "{{ summary")


def that_takes_the_earlier_name(repo: Path) -> None:
    """The question's default is what was answered under its earlier name."""
    copier_yml = repo / "copier.yml"
    block = question(copier_yml.read_text(), "description")
    default = "  default: >-\n    {{ summary | default('How well a model answers.') }}\n"
    replace(copier_yml, block, re.sub(r"(?m)^  default: .*\n", default, block))


def with_a_question_since_removed(repo: Path) -> None:
    """A question is asked that is not asked any more, and a line is made of its answer."""
    copier_yml = repo / "copier.yml"
    block = question(copier_yml.read_text(), "docker")
    copier_yml.write_text(
        copier_yml.read_text().replace(
            block,
            f"{block}python_floor:\n  type: str\n  help: Oldest Python?\n  default: '3.10'\n\n",
        )
    )
    replace(source(repo, "pyproject.toml"), '">=3.11"', '">={{ python_floor }}"')


def with_other_dependencies(repo: Path) -> None:
    """The runtime is older, and so are the ranges of every other dependency."""
    runtime = repo / "runtime/pyproject.toml"
    runtime.write_text(re.sub(r'(?m)^version = ".*"', 'version = "0.0.7"', runtime.read_text()))
    pyproject = source(repo, "pyproject.toml")
    lines = re.sub(r'(?m)^(    "[a-z\[\]-]+)>=[^"]*"', r'\1>=0.9"', pyproject.read_text())
    assert lines != pyproject.read_text()
    pyproject.write_text(lines)


def with_other_make_targets(repo: Path) -> None:
    """A target does something else, another has another name, and the last one is shorter."""
    makefile = source(repo, "Makefile")
    replace(makefile, "$(BIN)/python -m pytest\n", "$(BIN)/python -m unittest\n")
    makefile.write_text(makefile.read_text().replace("typecheck", "types"))
    replace(makefile, '"$$@" update --skip-answered $(ARGS)\n', '"$$@" update\n')


def managed(lines: list[str], start: int, step: int) -> int | None:
    """The nearest line, upwards or downwards, that a release may change: no comment of ours,
    nothing of Jinja, no bracket."""
    at = start + step
    while 0 <= at < len(lines):
        if re.match(r"\s*[^\s#{<\]]", lines[at]):
            return at
        at += step
    return None


def with_other_neighbours(repo: Path) -> None:
    """The lines next to those of the author are others, above and below them."""
    for name, additions in ADDITIONS.items():
        lines = source(repo, name).read_text().splitlines()
        changed = set[int]()
        for anchor, _ in additions:
            at = line_of(anchor, "\n".join(lines))
            changed |= {managed(lines, at, -1), managed(lines, at, 1)} - {None}
        assert changed, name
        for at in changed:
            lines[at] = (
                re.sub("^!?", r"\g<0>**/", lines[at])
                if name.endswith("ignore")
                else f"{lines[at]}  # As it was."
            )
        source(repo, name).write_text("\n".join(lines) + "\n")


def without_its_last_lines(repo: Path) -> None:
    """The framework's last line above those of the author is not there yet."""
    for name, additions in ADDITIONS.items():
        lines = source(repo, name).read_text().splitlines()
        for anchor, _ in additions:
            at = line_of(anchor, "\n".join(lines))
            above = managed(lines, at, -1)
            assert above is not None, anchor
            if not re.match(r"\s*(dev|dependencies|include|select) = |\[|FROM", lines[above]):
                del lines[above]
        source(repo, name).write_text("\n".join(lines) + "\n")


SYNTHETIC = [
    Older("a file added", without_a_framework_file),
    Older("files dropped", with_files_since_dropped),
    Older("a file moved to the author's side", with_a_file_not_yet_the_authors),
    Older("a question added", without_a_question),
    Older(
        "a question renamed",
        with_a_question_of_another_name,
        that_takes_the_earlier_name,
        answers_before={"summary": "It's mine."},
        answers_after={"description": "It's mine."},
    ),
    Older("a question removed", with_a_question_since_removed),
    Older("dependencies moved", with_other_dependencies),
    Older("make targets changed", with_other_make_targets),
    Older("lines changed beside the author's", with_other_neighbours),
    Older("lines added beside the author's", without_its_last_lines),
]


def released() -> list[Older]:
    """Every release that this repository has, none in a checkout without tags."""
    listed = subprocess.run(
        ["git", "tag", "--list", "v*"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    tags = re.findall(r"(?m)^v\d+\.\d+\.\d+$", listed.stdout)
    return [Older(tag, tag=tag) for tag in tags]
