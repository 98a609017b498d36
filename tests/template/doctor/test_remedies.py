"""What ``doctor`` advises is done, and then it finds nothing more."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from tests.template.copies import init_and_commit
from tests.template.doctor.examination import examine, shell
from tests.template.edits import replace

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Run


def test_newer_release_is_taken_by_the_remedy(
    authors: Path, released: Path, run: Run, tmp_path: Path
) -> None:
    """A newer release is reported, and the remedy takes it."""
    template = tmp_path / "template"
    run("git", "clone", "--quiet", released, template, cwd=tmp_path)
    replace(authors / ".copier-answers.yml", f"_src_path: {released}", f"_src_path: {template}")
    init_and_commit(authors, run)
    replace(template / "template/Makefile.jinja", "-m pytest\n", "-m pytest --quiet\n")
    run("git", "commit", "--quiet", "--all", "--message", "Newer", cwd=template)
    run("git", "tag", "v0.1.1", cwd=template)
    found = examine(authors)
    assert found["template"]["status"] == "ok"
    assert found["template"]["message"] == "v0.1.1 is out; this is v0.1.0"
    # As of the release that it is made from, nothing has been changed.
    assert found["drift"]["status"] == "ok"
    command = found["template"]["remedy"].splitlines()[-1]
    shell(command.replace("make update", "copier update --skip-answered"), authors, run)
    assert "-m pytest --quiet" in (authors / "Makefile").read_text()
    assert examine(authors)["template"]["message"].startswith("v0.1.1 is the newest release")


def test_missing_answers_are_made_by_the_remedy(authors: Path, run: Run) -> None:
    """Answers that were never committed are made by the remedy."""
    answers = authors / ".copier-answers.yml"
    whole = answers.read_text()
    shutil.rmtree(authors / ".git")
    answers.unlink()
    (authors / "tests/test_grader.py").unlink()
    init_and_commit(authors, run)
    remedy = examine(authors, "--offline")["answers"]["remedy"]
    # Where a person answers each question with Enter.
    shell(remedy.splitlines()[-1].replace(" copy ", " copy --defaults "), authors, run)
    assert run("git", "status", "--short", cwd=authors) == "?? .copier-answers.yml\n"
    # A clone's newest commit is that of the release here.
    assert answers.read_text() == whole
