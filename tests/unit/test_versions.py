from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from benchmark_runner import _versions
from benchmark_runner._versions import Code, installed_version

if TYPE_CHECKING:
    from pathlib import Path

NOT_KNOWN = Code(None, None)


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=A Tester", "-c", "user.email=tester@example.com"]
    done = subprocess.run(
        ["git", *identity, "-c", "commit.gpgSign=false", *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project in a git repository of its own, with one commit."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "runner.py").write_text("1\n")
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "The runner")
    return folder


def put_on_path(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str | None) -> None:
    """Have no other program on the path than this ``git``, or none at all."""
    folder.mkdir()
    if script is not None:
        (folder / "git").write_text(f"#!{sys.executable}\n{script}")
        (folder / "git").chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", str(folder))


class TestARepository:
    def test_its_commit_is_named(self, project: Path) -> None:
        assert Code.of(project) == Code(git(project, "rev-parse", "HEAD"), dirty=False)

    def test_an_edited_file_makes_it_dirty(self, project: Path) -> None:
        (project / "runner.py").write_text("2\n")
        assert Code.of(project).dirty is True
        git(project, "add", ".")
        assert Code.of(project).dirty is True

    def test_a_file_that_is_gone_makes_it_dirty(self, project: Path) -> None:
        (project / "runner.py").unlink()
        assert Code.of(project).dirty is True

    def test_files_that_are_not_in_it_do_not(self, project: Path) -> None:
        (project / "results").mkdir()
        (project / "results" / "generation.json").touch()
        assert Code.of(project) == Code(git(project, "rev-parse", "HEAD"), dirty=False)

    def test_a_project_may_be_a_folder_of_it(self, project: Path) -> None:
        inside = project / "benchmarks" / "mine"
        inside.mkdir(parents=True)
        (inside / "runner.py").touch()
        git(project, "add", ".")
        git(project, "commit", "--quiet", "--message", "Another runner")
        commit = git(project, "rev-parse", "HEAD")
        assert Code.of(inside) == Code(commit, dirty=False)
        (project / "runner.py").write_text("not of this project\n")
        assert Code.of(inside) == Code(commit, dirty=False)
        assert Code.of(project) == Code(commit, dirty=True)

    def test_asking_changes_nothing_in_it(self, project: Path) -> None:
        (project / "runner.py").write_text("1\n")  # the same content, another time: to be looked at
        os.utime(project / "runner.py", (1, 1))
        before = (project / ".git" / "index").read_bytes()
        assert Code.of(project).dirty is False
        assert (project / ".git" / "index").read_bytes() == before

    def test_an_outer_git_command_does_not_lead_it_astray(
        self, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        commit = git(project, "rev-parse", "HEAD")
        monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
        monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
        assert Code.of(project) == Code(commit, dirty=False)


class TestNotKnown:
    def test_without_a_project(self) -> None:
        assert Code.of(None) == NOT_KNOWN

    def test_without_a_repository(self, tmp_path: Path) -> None:
        assert Code.of(tmp_path) == NOT_KNOWN

    def test_in_a_repository_without_a_commit(self, tmp_path: Path) -> None:
        git(tmp_path, "init", "--quiet")
        assert Code.of(tmp_path) == NOT_KNOWN

    def test_in_a_folder_that_is_only_inside_somebody_elses_repository(self, project: Path) -> None:
        copied = project / "copied"
        copied.mkdir()
        (copied / "runner.py").touch()
        assert Code.of(copied) == NOT_KNOWN

    def test_in_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        assert Code.of(tmp_path / "missing") == NOT_KNOWN

    def test_without_git(
        self, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put_on_path(monkeypatch, tmp_path / "bin", None)
        assert shutil.which("git") is None
        assert Code.of(project) == NOT_KNOWN

    def test_with_a_git_that_fails(
        self, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put_on_path(monkeypatch, tmp_path / "bin", "print('abc')\nraise SystemExit(128)\n")
        assert Code.of(project) == NOT_KNOWN

    def test_with_a_git_that_hangs_the_run_goes_on(
        self, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(_versions, "_GIT_TIME", 0.2)
        put_on_path(monkeypatch, tmp_path / "bin", "import time\ntime.sleep(60)\n")
        began = time.monotonic()
        assert Code.of(project) == NOT_KNOWN
        assert time.monotonic() - began < 30

    def test_a_state_that_can_not_be_found_out_leaves_the_commit(
        self, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real, commit = shutil.which("git"), git(project, "rev-parse", "HEAD")
        put_on_path(
            monkeypatch,
            tmp_path / "bin",
            "import os, sys\n"
            "if 'status' in sys.argv:\n    sys.exit(1)\n"
            f"os.execv({real!r}, ['git', *sys.argv[1:]])\n",
        )
        assert Code.of(project) == Code(commit, None)


class TestInstalledVersions:
    def test_an_installed_distribution_has_its_version(self) -> None:
        assert installed_version("pytest") == pytest.__version__

    def test_what_is_not_installed_is_in_development(self) -> None:
        assert installed_version("no-such-distribution") == "dev"
