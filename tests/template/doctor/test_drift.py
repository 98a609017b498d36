"""``doctor`` tells what an author did to the framework's files from what is theirs."""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.template.copies import copy, init_and_commit
from tests.template.doctor.examination import drift_of, examine, shell
from tests.template.edits import files, replace

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Run

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


class TestDrift:
    def test_edited_file_is_named_with_a_remedy(self, authors: Path, run: Run) -> None:
        """An edited framework file is named, and the remedy restores that one only."""
        replace(authors / "Makefile", "-m pytest\n", "-m pytest --quiet\n")
        replace(authors / ".github/workflows/ci.yml", "contents: read", "contents: write")
        (authors / "pyproject.toml").write_text(
            (authors / "pyproject.toml").read_text() + "\n[tool.mine]\nx = 1\n"
        )
        (authors / "tests/test_benchmark.py").unlink()
        replace(authors / "tests/test_runner_contract.py", "class Test", "class TestMine")
        init_and_commit(authors, run)
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

    @pytest.mark.sampled(1)
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

    def test_what_is_the_authors_is_no_drift(self, authors: Path) -> None:
        """Additions below each anchor, the version and the author's files are no drift."""
        anchored = set()
        for path in files(authors):
            text = path.read_text()
            if ANCHOR.search(text):
                anchored.add(str(path.relative_to(authors)))
                path.write_text(ANCHOR.sub(lambda anchor: f"{anchor[0]}# Mine.\n", text))
        assert anchored == SHARED
        replace(authors / "pyproject.toml", 'version = "0.1.0"', 'version = "2.7.0"')
        for name in AUTHORS_FILES[:3]:
            (authors / name).write_text('"""Mine."""\n')
        (authors / "runner/benchmark.py").write_text(
            (authors / "runner/benchmark.py").read_text() + "\nMINE = True\n"
        )
        for name in ("README.md", "tests/test_benchmark.py", "tests/test_grader.py"):
            (authors / name).unlink()
        (authors / "data/more.json").write_text("[]\n")
        assert drift_of(authors)["status"] == "ok"

    @pytest.mark.full
    def test_script_of_the_orchestrator(self, released: Path, run: Run, tmp_path: Path) -> None:
        """The contract is the author's, and the script has a place for the author's lines."""
        project = copy(released, tmp_path / "my-bench", {"orchestrator": "contract"})
        init_and_commit(project, run)
        script = project / "setup.sh"
        own = ANCHOR.sub(lambda anchor: f"{anchor[0]}apt-get update\n", script.read_text())
        script.write_text(own)
        contract = project / "contract.yaml"
        contract.write_text(contract.read_text() + "ingest_lambda: mine\n")
        replace(script, "set -eu\n", "set -eu\nset -x\n")
        assert drift_of(project)["message"].endswith(": setup.sh (with the line `set -x`)")
        script.unlink()
        found = examine(project)["drift"]
        assert found["message"].endswith(": setup.sh (deleted)")
        assert "orchestrator=none" in found["remedy"]
        contract.unlink()
        assert "contract" not in examine(project, "--offline")

    @pytest.mark.sampled(1)
    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ('    "pytest>=8.3",\n', ""),
            ('    "pytest>=8.3",\n', '    "pytest>=9",\n'),
            ('    "ruff>=0.12",\n    "pytest>=8.3",\n', '    "pytest>=8.3",\n    "ruff>=0.12",\n'),
        ],
        ids=["removed", "changed", "moved"],
    )
    def test_changed_managed_line_is_named(self, authors: Path, old: str, new: str) -> None:
        """A managed line that was removed, changed or moved is named."""
        replace(authors / "pyproject.toml", old, new)
        found = drift_of(authors)
        assert found["status"] == "fault"
        assert re.search(
            r": pyproject.toml \(without the line `\"(pytest|ruff)>=", found["message"]
        )
        # A copy of the whole file would lose what the author has added.
        assert "recopy" not in found["remedy"]

    def test_missing_runtime_requirement(self, authors: Path) -> None:
        """A missing requirement of the runtime is a problem, offline, too."""
        line = '    "vals-benchmark-runner>=0.1.0,<0.2",\n'
        replace(authors / "pyproject.toml", line, "")
        found = examine(authors)
        assert found["runtime"]["status"] == "fault"
        assert "vals-benchmark-runner>=0.1.0,<0.2" in found["drift"]["message"]
        assert examine(authors, "--offline")["runtime"]["status"] == "fault"

    def test_deleted_file_is_restored_by_the_remedy(self, authors: Path, run: Run) -> None:
        """A deleted framework file is named, and the remedy restores it."""
        was = (authors / "Dockerfile").read_text()
        (authors / "Dockerfile").unlink()
        found = drift_of(authors)
        assert found["status"] == "fault"
        assert found["message"].endswith(": Dockerfile (deleted)")
        assert "docker=false" in found["remedy"]
        shell(found["remedy"].splitlines()[-1], authors, run)
        assert (authors / "Dockerfile").read_text() == was

    @pytest.mark.full
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
        init_and_commit(outer, run)
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

    @pytest.mark.sampled(1)
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
    def test_missing_copier_is_not_checked(self, authors: Path, tmp_path: Path) -> None:
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
