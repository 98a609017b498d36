"""Conflict markers and rejected changes of an update."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.cli.doctor.repositories import commit, git, offline

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject


class TestConflicts:
    def test_markers_are_listed_with_lines(self, healthy: RunnerProject) -> None:
        """Conflict markers are listed with their lines, in untracked files, too."""
        (healthy.root / "runner" / "grader.py").write_text(
            "x = 1\n<<<<<<< before updating\n=======\ny = 2\n>>>>>>> after updating\n"
        )
        (healthy.root / "notes.txt").write_text(">>>>>>> after updating\n")
        found = offline(healthy)["conflicts"]
        assert found["status"] == "fault"
        assert found["message"].endswith(": notes.txt:1, runner/grader.py:2, runner/grader.py:5")
        assert "Merge" in found["remedy"]

    def test_rejected_changes_are_named(self, healthy: RunnerProject) -> None:
        """Files of rejected changes are named."""
        (healthy.root / "Makefile.rej").write_text("@@ -1 +1 @@\n")
        found = offline(healthy)["conflicts"]
        assert found["status"] == "fault"
        assert found["message"].endswith(": Makefile.rej")

    @pytest.mark.parametrize(
        "content",
        [
            b"a text with <<<<<<< in it\n",
            b"<<<<<<<\n",
            b"<<<<<<<<< a long arrow\n",
            b"\x89PNG\0\n<<<<<<< not a text\n",
            b"",
        ],
    )
    def test_similar_text_is_no_marker(self, healthy: RunnerProject, content: bytes) -> None:
        """Text that only looks like a marker is none."""
        (healthy.root / "a file").write_bytes(content)
        assert offline(healthy)["conflicts"]["status"] == "ok"

    def test_ignored_files_are_not_read(self, healthy: RunnerProject) -> None:
        """Files that git ignores are not read."""
        (healthy.root / ".gitignore").write_text("*.log\n")
        (healthy.root / "a.log").write_text("<<<<<<< mine\n")
        assert offline(healthy)["conflicts"]["status"] == "ok"

    def test_deleted_files_and_broken_links(self, healthy: RunnerProject) -> None:
        """Deleted files and links to nowhere are no problem."""
        (healthy.root / "runner" / "__init__.py").unlink()
        (healthy.root / "link").symlink_to("nowhere")
        assert offline(healthy)["conflicts"]["status"] == "ok"

    @pytest.mark.parametrize("outer", [False, True], ids=["no git", "ignored by an outer git"])
    def test_without_git_own_files_are_read(self, healthy: RunnerProject, outer: bool) -> None:
        """Without git all files are read but those that .gitignore names."""
        shutil.rmtree(healthy.root / ".git")
        if outer:
            git(healthy.root.parent, "init", "--quiet")
            (healthy.root.parent / ".gitignore").write_text("/project/\n")
        (healthy.root / ".gitignore").write_text(".venv/\nresults/\n")
        for folder in (".venv", "results", ".github", "docs"):
            (healthy.root / folder).mkdir()
            (healthy.root / folder / "a.txt").write_text("<<<<<<< mine\n")
        message = offline(healthy)["conflicts"]["message"]
        assert message.endswith(": .github/a.txt:1, docs/a.txt:1")

    def test_only_the_project_is_read(self, healthy: RunnerProject) -> None:
        """In a larger repository only the project is read."""
        shutil.rmtree(healthy.root / ".git")
        outer = healthy.root.parent
        (outer / "other.txt").write_text("<<<<<<< mine\n")
        commit(outer)
        assert offline(healthy)["conflicts"]["status"] == "ok"
        healthy.dataset.with_name("more.json").write_text("<<<<<<< mine\n")
        message = offline(healthy)["conflicts"]["message"]
        assert message.endswith(": data/more.json:1")
