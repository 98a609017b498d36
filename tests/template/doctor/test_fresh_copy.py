"""``doctor`` in a fresh copy, and all that calls it there."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import yaml

from tests.template.copies import init_and_commit
from tests.template.doctor.examination import call_doctor, drift_of, examine

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Run


class TestFreshCopy:
    def test_fresh_copy_has_no_problem(self, authors: Path, run: Run, tmp_path: Path) -> None:
        """A fresh copy has no problem, and nothing is left behind."""
        (tmp_path / "temporary").mkdir()
        done = call_doctor(authors, TMPDIR=str(tmp_path / "temporary"))
        assert done.returncode == 0, done.stdout
        lines = done.stdout.splitlines()
        assert lines[-1] == "No problem found."
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
        init_and_commit(authors, run)
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
        assert run("make", "doctor", cwd=authors).endswith("No problem found.\n")
        (authors / "data/validation.json").write_text("[")
        assert "1 problem: runner" in run(*offline.split(), cwd=authors, code=2)
