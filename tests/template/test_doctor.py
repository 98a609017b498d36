"""``doctor`` in real copies: what an author did to the framework's files, and what is theirs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import copier
import pytest
import yaml

import benchmark_runner

if TYPE_CHECKING:
    from tests.conftest import Run

RUNTIME = Path(benchmark_runner.__file__).parents[1]
ANCHOR = re.compile(r"^.*\bbelow this line\b.*\n", re.MULTILINE)
SHARED = {
    ".dockerignore",
    ".github/workflows/ci.yml",
    ".gitignore",
    "AGENTS.md",
    "Dockerfile",
    "Makefile",
    "pyproject.toml",
}
AUTHORS_FILES = [
    ".env.example",
    "README.md",
    "runner/__init__.py",
    "runner/grader.py",
    "tests/test_benchmark.py",
    "tests/test_grader.py",
]
#: Calls the console script without an installed project.
CALL = """\
import sys
{prelude}
sys.argv[0] = "my-bench-runner"
from runner.cli import cli
cli()
"""


@pytest.fixture(scope="session")
def released(template_repo: Path, run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template's repository, with one release."""
    released = tmp_path_factory.mktemp("released") / "create-benchmark-runner"
    run("git", "clone", "--quiet", template_repo, released, cwd=template_repo)
    run("git", "tag", "v0.1.0", cwd=released)
    return released


@pytest.fixture(scope="session")
def fresh(released: Path, run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the release, committed; to be read only."""
    project = tmp_path_factory.mktemp("fresh") / "my-bench"
    copier.run_copy(str(released), project, defaults=True, quiet=True, unsafe=False)
    commit(project, run)
    return project


@pytest.fixture
def authors(fresh: Path, tmp_path: Path) -> Path:
    """A copy of the release, committed, for the test to work in."""
    return Path(shutil.copytree(fresh, tmp_path / "my-bench"))


def commit(folder: Path, run: Run) -> None:
    run("git", "init", "--quiet", cwd=folder)
    run("git", "add", "--all", cwd=folder)
    run("git", "commit", "--quiet", "--message", "Work", cwd=folder)


def call_doctor(
    project: Path, *flags: str, prelude: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join((str(RUNTIME), str(project)))
    unwritten = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": path}
    return subprocess.run(
        [sys.executable, "-c", CALL.format(prelude=prelude), "doctor", *flags],
        cwd=project,
        env=os.environ | unwritten | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def examine(
    project: Path, *flags: str, prelude: str = "", **environment: str
) -> dict[str, dict[str, Any]]:
    done = call_doctor(project, "--json", *flags, prelude=prelude, **environment)
    assert done.stdout, done.stderr
    document = json.loads(done.stdout)
    assert done.returncode == (1 if document["faults"] else 0), done.stderr
    return {each["check"]: each for each in document["checks"]}


def drift_of(project: Path) -> dict[str, Any]:
    """The finding, and none other is wrong."""
    found = examine(project)
    others = {name for name, each in found.items() if each["status"] != "ok"} - {"drift"}
    assert others == set(), found
    return found["drift"]


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text, (path, old)
    path.write_text(text.replace(old, new, 1))


def shell(command: str, cwd: Path, run: Run) -> None:
    run("sh", "-c", command, cwd=cwd)


class TestFreshCopy:
    def test_fresh_copy_has_no_problem(
        self, authors: Path, run: Run, tmp_path: Path
    ) -> None:
        """A fresh copy has no problem, and nothing is left behind."""
        (tmp_path / "temporary").mkdir()
        done = call_doctor(authors, TMPDIR=str(tmp_path / "temporary"))
        assert done.returncode == 0, done.stdout
        lines = done.stdout.splitlines()
        assert lines[-1] == "No fault found."
        assert len([line for line in lines if line.startswith("ok ")]) == 8
        assert [*(tmp_path / "temporary").iterdir()] == []
        assert run("git", "status", "--short", "--ignored", cwd=authors) == ""

    def test_fresh_copy_has_no_problem_offline(self, authors: Path) -> None:
        """A fresh copy has no problem offline, also uncommitted."""
        shutil.rmtree(authors / ".git")
        found = examine(authors, "--offline", PATH="/nowhere")
        assert {each["status"] for each in found.values()} == {"ok", "not_checked"}

    def test_shallow_clone_has_no_problem(
        self, fresh: Path, authors: Path, run: Run, tmp_path: Path
    ) -> None:
        """A shallow clone has no problem."""
        (authors / "project.mk").write_text("mine:\n")
        commit(authors, run)
        clone = tmp_path / "clone"
        run("git", "clone", "--quiet", "--depth=1", f"file://{authors}", clone, cwd=tmp_path)
        assert run("git", "rev-list", "--count", "HEAD", cwd=clone) == "1\n"
        assert drift_of(clone)["status"] == "ok"

    def test_make_and_workflow_run_doctor(self, authors: Path, run: Run) -> None:
        """Both make doctor and the workflow run the checks."""
        workflow = yaml.safe_load((authors / ".github/workflows/ci.yml").read_text())
        steps = [step.get("run", "") for step in workflow["jobs"]["check"]["steps"]]
        (offline,) = [step for step in steps if "doctor" in step]
        assert offline == "make doctor ARGS=--offline"
        run("make", "install", cwd=authors)
        assert "not checked: template, service, drift." in run(*offline.split(), cwd=authors)
        assert run("make", "doctor", cwd=authors).endswith("No fault found.\n")
        (authors / "data/validation.json").write_text("[")
        assert "1 fault: runner" in run(*offline.split(), cwd=authors, code=2)


class TestDrift:
    def test_edited_file_is_named_with_a_remedy(
        self, authors: Path, run: Run
    ) -> None:
        """An edited framework file is named, and the remedy restores that one only."""
        replace(authors / "Makefile", "-m pytest\n", "-m pytest --quiet\n")
        replace(authors / ".github/workflows/ci.yml", "contents: read", "contents: write")
        (authors / "pyproject.toml").write_text(
            (authors / "pyproject.toml").read_text() + "\n[tool.mine]\nx = 1\n"
        )
        (authors / "tests/test_benchmark.py").unlink()
        replace(authors / "tests/test_runner_contract.py", "class Test", "class TestMine")
        commit(authors, run)
        found = drift_of(authors)
        assert found["status"] == "fault"
        assert ".github/workflows/ci.yml (without the line `contents: read`)" in found["message"]
        assert "Makefile (without the line `$(BIN)/python -m pytest`)" in found["message"]
        assert "tests/test_runner_contract.py" in found["message"]
        assert "project.mk" in found["remedy"]
        # Of those that may hold lines of the author's, none is taken back as a whole.
        shell(found["remedy"].splitlines()[-1], authors, run)
        changed = run("git", "diff", "--name-only", cwd=authors).split()
        assert changed == ["tests/test_runner_contract.py"]

    @pytest.mark.parametrize(
        ("name", "before"),
        [
            ("Makefile", "test: $(BIN)/python"),
            ("Dockerfile", "USER 1000"),
            (".github/workflows/ci.yml", "      - name: Lint"),
        ],
    )
    def test_line_within_a_framework_file_is_named(
        self, authors: Path, name: str, before: str
    ) -> None:
        """A line that was added within a framework file is named."""
        replace(authors / name, before, f"# Mine.\n{before}")
        found = drift_of(authors)
        assert found["status"] == "fault"
        assert f"{name} (with the line `# Mine.`)" in found["message"]

    def test_additions_below_anchors_are_no_drift(self, authors: Path) -> None:
        """Additions below each anchor are no drift."""
        anchored = set()
        for path in [path for path in authors.rglob("*") if path.is_file() and ".git/" not in str(path)]:
            text = path.read_text()
            if ANCHOR.search(text):
                anchored.add(str(path.relative_to(authors)))
                path.write_text(ANCHOR.sub(lambda anchor: f"{anchor[0]}# Mine.\n", text))
        assert anchored == SHARED
        assert drift_of(authors)["status"] == "ok"

    def test_own_version_is_no_drift(self, authors: Path) -> None:
        """A version of the runner's own is no drift."""
        replace(authors / "pyproject.toml", 'version = "0.1.0"', 'version = "2.7.0"')
        assert drift_of(authors)["status"] == "ok"

    def test_authors_files_are_no_drift(self, authors: Path) -> None:
        """Edits and deletions of the author's files are no drift."""
        for name in AUTHORS_FILES[:3]:
            (authors / name).write_text('"""Mine."""\n')
        (authors / "runner/benchmark.py").write_text(
            (authors / "runner/benchmark.py").read_text() + "\nMINE = True\n"
        )
        for name in ("README.md", "tests/test_benchmark.py", "tests/test_grader.py"):
            (authors / name).unlink()
        (authors / "data/more.json").write_text("[]\n")
        assert drift_of(authors)["status"] == "ok"

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ('    "pytest>=8.3",\n', ""),
            ('    "pytest>=8.3",\n', '    "pytest>=9",\n'),
            ('    "ruff>=0.12",\n    "pytest>=8.3",\n', '    "pytest>=8.3",\n    "ruff>=0.12",\n'),
        ],
        ids=["removed", "changed", "moved"],
    )
    def test_changed_managed_line_is_named(
        self, authors: Path, old: str, new: str
    ) -> None:
        """A managed line that was removed, changed or moved is named."""
        replace(authors / "pyproject.toml", old, new)
        found = drift_of(authors)
        assert found["status"] == "fault"
        assert re.search(r": pyproject.toml \(without the line `\"(pytest|ruff)>=", found["message"])
        # A copy of the whole file would lose what the author has added.
        assert "recopy" not in found["remedy"]

    def test_missing_runtime_requirement(
        self, authors: Path
    ) -> None:
        """A missing requirement of the runtime is a problem, offline, too."""
        line = '    "vals-benchmark-runner>=0.1.0,<0.2",\n'
        replace(authors / "pyproject.toml", line, "")
        found = examine(authors)
        assert found["runtime"]["status"] == "fault"
        assert "vals-benchmark-runner>=0.1.0,<0.2" in found["drift"]["message"]
        assert examine(authors, "--offline")["runtime"]["status"] == "fault"

    def test_deleted_file_is_restored_by_the_remedy(
        self, authors: Path, run: Run
    ) -> None:
        """A deleted framework file is named, and the remedy restores it."""
        was = (authors / "Dockerfile").read_text()
        (authors / "Dockerfile").unlink()
        found = drift_of(authors)
        assert found["status"] == "fault"
        assert found["message"].endswith(": Dockerfile (deleted)")
        assert "docker=false" in found["remedy"]
        shell(found["remedy"].splitlines()[-1], authors, run)
        assert (authors / "Dockerfile").read_text() == was

    def test_larger_repository_is_compared_in_part(
        self, authors: Path, run: Run, tmp_path: Path
    ) -> None:
        """In a larger repository only the project's files are compared."""
        shutil.rmtree(authors / ".git")
        outer = tmp_path / "outer"
        project = outer / "benches" / "my-bench"
        project.parent.mkdir(parents=True)
        authors.rename(project)
        (outer / "Makefile").write_text("<<<<<<< another project's\n")
        commit(outer, run)
        assert drift_of(project)["status"] == "ok"
        (project / "Makefile").write_text("all:\n")
        assert drift_of(project)["message"].partition(" (")[0].endswith(": Makefile")

    def test_project_without_git_is_compared(self, authors: Path) -> None:
        """A project without git is compared, too."""
        shutil.rmtree(authors / ".git")
        (authors / "Makefile").write_text("all:\n")
        assert drift_of(authors)["message"].partition(" (")[0].endswith(": Makefile")

    def test_other_line_ends_are_no_drift(self, authors: Path) -> None:
        """Line ends of another system are no drift."""
        for name in ("Makefile", "pyproject.toml"):
            text = (authors / name).read_bytes()
            (authors / name).write_bytes(text.replace(b"\n", b"\r\n"))
        assert drift_of(authors)["status"] == "ok"

    @pytest.mark.parametrize(
        ("unsafe", "status"),
        [
            ("_tasks: [touch {place}]", "ok"),
            ("_jinja_extensions: [jinja2.ext.do]", "not_checked"),
        ],
    )
    def test_templates_code_is_not_run(
        self, unsafe: str, status: str, authors: Path, released: Path, run: Run, tmp_path: Path
    ) -> None:
        """Code of a template is not run, even if a person's settings trust it."""
        template = tmp_path / "template"
        run("git", "clone", "--quiet", released, template, cwd=tmp_path)
        with (template / "copier.yml").open("a") as questions:
            questions.write(f"\n{unsafe.format(place=tmp_path / 'was-here')}\n")
        run("git", "commit", "--quiet", "--all", "--message", "Unsafe", cwd=template)
        run("git", "tag", "v0.1.1", cwd=template)
        answers = authors / ".copier-answers.yml"
        replace(answers, f"_src_path: {released}", f"_src_path: {template}")
        replace(answers, "_commit: v0.1.0", "_commit: v0.1.1")
        notes = authors / "AGENTS.md"  # links the documentation of that version
        notes.write_text(notes.read_text().replace("v0.1.0", "v0.1.1"))
        settings = tmp_path / "settings.yml"
        settings.write_text(f"trust:\n  - {template}\n")
        found = examine(authors, COPIER_SETTINGS_PATH=str(settings))["drift"]
        assert found["status"] == status, found
        assert not (tmp_path / "was-here").exists()


class TestNotToBeHad:
    def test_missing_copier_is_not_checked(
        self, authors: Path, tmp_path: Path
    ) -> None:
        """Without copier the check is left open with the command."""
        tools = tmp_path / "tools"
        tools.mkdir()
        for name in ("git", "uvx"):
            (tools / name).symlink_to(str(shutil.which(name)))
        nowhere = "sys.modules['copier'] = None"
        found = examine(authors, prelude=nowhere, PATH=str(tools))["drift"]
        assert found["status"] == "not_checked"
        assert "copier is not installed" in found["message"]
        assert found["remedy"] == (
            "uvx copier recopy --overwrite --defaults --vcs-ref=v0.1.0 --pretend"
        )

    def test_importable_copier_is_used(self, authors: Path) -> None:
        """A copier that can only be imported is used."""
        assert examine(authors, PATH=os.defpath)["drift"]["status"] == "ok"

    def test_moved_template_is_not_checked(self, authors: Path) -> None:
        """A template that has moved leaves the checks open."""
        answers = authors / ".copier-answers.yml"
        text = answers.read_text()
        answers.write_text(re.sub(r"(?m)^_src_path: .*", "_src_path: /nowhere/at-all.git", text))
        found = examine(authors)
        for name in ("template", "drift"):
            assert found[name]["status"] == "not_checked"
            assert "/nowhere/at-all.git" in found[name]["message"]
            assert "copier " in found[name]["remedy"]

    def test_unknown_commit_is_not_checked(self, authors: Path) -> None:
        """A commit that the template does not have leaves the check open."""
        replace(authors / ".copier-answers.yml", "_commit: v0.1.0", "_commit: abcdef0")
        found = examine(authors)["drift"]
        assert found["status"] == "not_checked"
        assert "Unknown revision: 'abcdef0'" in found["message"]


def test_newer_release_is_taken_by_the_remedy(
    authors: Path, released: Path, run: Run, tmp_path: Path
) -> None:
    """A newer release is reported, and the remedy takes it."""
    template = tmp_path / "template"
    run("git", "clone", "--quiet", released, template, cwd=tmp_path)
    replace(authors / ".copier-answers.yml", f"_src_path: {released}", f"_src_path: {template}")
    commit(authors, run)
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


def test_missing_answers_are_made_by_the_remedy(
    authors: Path, run: Run
) -> None:
    """Answers that were never committed are made by the remedy."""
    answers = authors / ".copier-answers.yml"
    whole = answers.read_text()
    shutil.rmtree(authors / ".git")
    answers.unlink()
    (authors / "tests/test_grader.py").unlink()
    commit(authors, run)
    remedy = examine(authors, "--offline")["answers"]["remedy"]
    # Where a person answers each question with Enter.
    shell(remedy.splitlines()[-1].replace(" copy ", " copy --defaults "), authors, run)
    assert run("git", "status", "--short", cwd=authors) == "?? .copier-answers.yml\n"
    # A clone's newest commit is that of the release here.
    assert answers.read_text() == whole
