"""Updates from older versions, as a bot runs them, of copies that an author has worked on."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import pexpect
import pytest
import yaml

from tests.template.copies import commit, copy, recopy, start, update
from tests.template.edits import ADDITIONS, Edits, files, is_the_authors, line_of, replace
from tests.template.versions import NEWER, OLDER, ROOT, SYNTHETIC, released

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Run
    from tests.template.copies import Releases
    from tests.template.versions import Older

CONFIG = yaml.safe_load((ROOT / "copier.yml").read_text())
QUESTIONS = {name: value for name, value in CONFIG.items() if not name.startswith("_")}
BY_NAME = {older.name: older for older in SYNTHETIC}


def contents(project: Path) -> dict[str, bytes]:
    return {path.relative_to(project).as_posix(): path.read_bytes() for path in files(project)}


def assert_updated(project: Path, before: dict[str, bytes], expected: Path) -> None:
    """The author's files are what they were, and all others what they are in ``expected``."""
    after = contents(project)
    assert {name: text for name, text in after.items() if is_the_authors(name)} == {
        name: text for name, text in before.items() if is_the_authors(name)
    }
    wanted = {name: text for name, text in contents(expected).items() if not is_the_authors(name)}
    assert {name: text for name, text in after.items() if not is_the_authors(name)} == wanted


def assert_no_conflict(project: Path, run: Run) -> None:
    assert run("git", "ls-files", "--unmerged", cwd=project) == ""
    assert not list(project.rglob("*.rej"))
    run("git", "grep", "--no-index", "-E", "^(<{7}|>{7}) ", cwd=project, code=1)


# Of these, the places and the runtime's sources below are the samples.
@pytest.mark.full
@pytest.mark.parametrize("older", [*SYNTHETIC, *released()], ids=lambda older: older.name)
def test_update_brings_news_and_keeps_edits(
    older: Older, releases: Releases, run: Run, tmp_path: Path
) -> None:
    """An update brings what is new and keeps the author's edits."""
    template = releases(older)
    project = start(template, tmp_path, older, run)
    edits = Edits.of(project)
    edits.apply(project)
    commit(project, run)
    before = contents(project)
    update(project)
    assert_no_conflict(project, run)
    expected = copy(template, tmp_path / "fresh" / "my-bench", older.answers_after)
    edits.apply(expected)
    assert_updated(project, before, expected)


@pytest.mark.full
@pytest.mark.parametrize("older", [*SYNTHETIC, *released()], ids=lambda older: older.name)
def test_untouched_copy_becomes_a_fresh_one(
    older: Older, releases: Releases, run: Run, tmp_path: Path
) -> None:
    """An update of an untouched copy is a fresh copy but for the author's files."""
    template = releases(older)
    project = start(template, tmp_path, older, run)
    before = contents(project)
    update(project)
    assert_no_conflict(project, run)
    expected = copy(template, tmp_path / "fresh" / "my-bench", older.answers_after)
    assert_updated(project, before, expected)


def another_folder(project: Path, tmp_path: Path, run: Run) -> Path:
    run("git", "clone", "--quiet", project, tmp_path / "elsewhere", cwd=tmp_path)
    return tmp_path / "elsewhere"


def a_shallow_clone(project: Path, tmp_path: Path, run: Run) -> Path:
    commit(project, run)
    shallow = tmp_path / "shallow"
    run("git", "clone", "--quiet", "--depth", "1", f"file://{project}", shallow, cwd=tmp_path)
    assert run("git", "rev-list", "--count", "HEAD", cwd=shallow) == "1\n"
    return shallow


def a_folder_of_a_monorepo(project: Path, tmp_path: Path, run: Run) -> Path:
    monorepo = tmp_path / "monorepo"
    (monorepo / "libs").mkdir(parents=True)
    (monorepo / "README.md").write_text("Everything.\n")
    run("git", "init", "--quiet", cwd=monorepo)
    (project / ".git").rename(tmp_path / "its-own-git")
    project.rename(monorepo / "libs" / "bench")
    commit(monorepo, run)
    return monorepo / "libs" / "bench"


@pytest.mark.sampled(1)
@pytest.mark.parametrize("place", [another_folder, a_shallow_clone, a_folder_of_a_monorepo])
def test_update_works_in_any_place(
    place: Callable[[Path, Path, Run], Path], releases: Releases, run: Run, tmp_path: Path
) -> None:
    """An update works wherever the project is."""
    older = BY_NAME["lines changed beside the author's"]
    template = releases(older)
    made = start(template, tmp_path, older, run)
    edits = Edits.of(made)
    edits.apply(made)
    commit(made, run)
    before = contents(made)
    project = place(made, tmp_path, run)
    update(project)
    assert_no_conflict(project, run)
    expected = copy(template, tmp_path / "fresh" / "my-bench", {})
    edits.apply(expected)
    assert_updated(project, before, expected)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("source", ["git", "index"])
def test_update_moves_the_runtime(
    source: str, releases: Releases, run: Run, tmp_path: Path
) -> None:
    """An update moves the runtime with the framework, whatever its source."""
    older = BY_NAME["dependencies moved"]
    template = releases(older)
    project = start(template, tmp_path, older, run, runtime_source=source)
    edits = Edits.of(project)
    edits.apply(project)
    commit(project, run)
    assert '"vals-benchmark-runner>=0.0.7,<0.1"' in (project / "pyproject.toml").read_text()
    before = contents(project)
    update(project)
    assert_no_conflict(project, run)
    expected = copy(template, tmp_path / "fresh" / "my-bench", {"runtime_source": source})
    edits.apply(expected)
    assert_updated(project, before, expected)


def test_update_keeps_dependencies_of_uv(releases: Releases, run: Run, tmp_path: Path) -> None:
    """An update keeps the dependencies that uv added."""
    older = BY_NAME["dependencies moved"]
    template = releases(older)
    project = start(template, tmp_path, older, run, runtime_source="git")
    expected = copy(template, tmp_path / "fresh" / "my-bench", {"runtime_source": "git"})

    def add(folder: Path) -> None:
        for arguments in (
            ["numpy>=2"],
            ["zstandard"],
            ["--dev", "ipython", "pytest-xdist", "zest"],
            ["--group", "docs", "mkdocs"],
            ["--optional", "plots", "matplotlib"],
            ["thing @ git+https://example.com/thing.git"],
        ):
            run("uv", "add", "--quiet", "--frozen", *arguments, cwd=folder)

    add(project)
    commit(project, run)
    update(project)
    assert_no_conflict(project, run)
    add(expected)
    assert contents(project)["pyproject.toml"] == contents(expected)["pyproject.toml"]


def test_a_second_update_changes_nothing(releases: Releases, run: Run, tmp_path: Path) -> None:
    """A second update changes nothing."""
    older = BY_NAME["lines added beside the author's"]
    project = start(releases(older), tmp_path, older, run)
    Edits.of(project).apply(project)
    commit(project, run)
    update(project)
    commit(project, run)
    update(project)
    assert run("git", "status", "--short", cwd=project) == ""


def test_recopy_keeps_the_authors_files(releases: Releases, run: Run, tmp_path: Path) -> None:
    """A recopy keeps the author's files."""
    older = BY_NAME["files dropped"]
    template = releases(older)
    project = start(template, tmp_path, older, run)
    Edits.of(project).apply(project)
    commit(project, run)
    before = contents(project)
    recopy(project)
    after = contents(project)
    kept = {name for name in before if is_the_authors(name)}
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    fresh = contents(copy(template, tmp_path / "fresh" / "my-bench", {}))
    shared = {name for name in fresh if not is_the_authors(name)}
    assert {name: after[name] for name in shared} == {name: fresh[name] for name in shared}


def test_both_sides_changed_is_a_conflict(releases: Releases, run: Run, tmp_path: Path) -> None:
    """A line that both sides changed is a conflict that the next steps find."""
    older = BY_NAME["make targets changed"]
    project = start(releases(older), tmp_path, older, run)
    replace(project / "Makefile", "-m unittest", "-m unittest --verbose")
    commit(project, run)
    update(project)
    assert "Makefile" in run("git", "ls-files", "--unmerged", cwd=project)
    assert "leftover conflict marker" in run("git", "diff", "--check", cwd=project, code=2)


def test_commands_update_without_a_question(releases: Releases, run: Run, tmp_path: Path) -> None:
    """The commands find and make an update without a question."""
    older = BY_NAME["a question added"]
    project = start(releases(older), tmp_path, older, run)
    command = (sys.executable, "-m", "copier")
    found = run(*command, "check-update", cwd=project)
    assert "0.0.1" in found
    assert NEWER.removeprefix("v") in found
    run(*command, "check-update", "--quiet", cwd=project, code=2)
    printed = run(*command, "update", "--skip-answered", "--defaults", cwd=project)
    assert f"is updated to {NEWER}." in printed
    for step in ("git diff --check", "make install test", "git diff .copier-answers.yml"):
        assert step in printed
    assert f"/create-benchmark-runner/blob/{NEWER}/CHANGELOG.md" in printed
    crossed = run("git", "diff", ".copier-answers.yml", cwd=project)
    assert f"-_commit: {OLDER}\n+_commit: {NEWER}\n" in crossed
    commit(project, run)
    run(*command, "check-update", "--quiet", cwd=project)


def test_only_new_questions_are_asked(releases: Releases, run: Run, tmp_path: Path) -> None:
    """A person is asked only what was not answered before."""
    older = BY_NAME["a question added"]
    project = start(releases(older), tmp_path, older, run)
    screen = io.StringIO()
    terminal = pexpect.spawn(
        sys.executable, ["-m", "copier", "update", "--skip-answered"],
        cwd=str(project), encoding="utf-8", dimensions=(40, 200), timeout=120,
    )  # fmt: skip
    terminal.logfile_read = screen
    with terminal:
        terminal.expect("URL of the benchmark service")
        terminal.sendline("")
        terminal.expect("is updated to")
        terminal.expect(pexpect.EOF)
        terminal.wait()
    assert terminal.exitstatus == 0
    shown = screen.getvalue()
    others = [name for name in QUESTIONS if name != "service_url" and "help" in QUESTIONS[name]]
    assert "sample_agent" in others
    assert [name for name in others if QUESTIONS[name]["help"][:20] in shown] == []


def test_message_links_to_the_newest_changelog(
    releases: Releases, run: Run, tmp_path: Path
) -> None:
    """Between releases the message links to the newest changelog."""
    older = BY_NAME["make targets changed"]
    template = releases(older)
    project = start(template, tmp_path, older, run)
    run("git", "tag", "--delete", NEWER, cwd=template)
    command = (sys.executable, "-m", "copier", "update", "--skip-answered", "--defaults")
    printed = run(*command, "--vcs-ref", "HEAD", cwd=project)
    assert "/create-benchmark-runner/blob/main/CHANGELOG.md" in printed


def test_every_place_for_own_lines_is_tested(project: Path) -> None:
    """Each place for the author's own lines is tested."""
    places = {
        (name, line)
        for name, text in contents(project).items()
        for line in text.decode().splitlines()
        if line.lstrip("#<!- ").startswith("Your own") and "below this line" in line
    }
    tried = set()
    for name, additions in ADDITIONS.items():
        text = (project / name).read_text()
        for anchor, _ in additions:
            tried.add((name, text.splitlines()[line_of(anchor, text)]))
    assert tried == places
