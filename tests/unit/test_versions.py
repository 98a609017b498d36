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
        """The commit of a clean repository is named, and it is not dirty."""
        assert Code.of(project) == Code(git(project, "rev-parse", "HEAD"), dirty=False)

    def test_an_edited_file_makes_it_dirty(self, project: Path) -> None:
        """A file that was edited makes the project dirty, staged or not."""
        (project / "runner.py").write_text("2\n")
        assert Code.of(project).dirty is True
        git(project, "add", ".")
        assert Code.of(project).dirty is True

    def test_removed_file_makes_it_dirty(self, project: Path) -> None:
        """A tracked file that was removed makes the project dirty."""
        (project / "runner.py").unlink()
        assert Code.of(project).dirty is True

    def test_untracked_files_do_not_make_it_dirty(self, project: Path) -> None:
        """Files that git does not track do not make the project dirty."""
        (project / "results").mkdir()
        (project / "results" / "generation.json").touch()
        assert Code.of(project) == Code(git(project, "rev-parse", "HEAD"), dirty=False)

    def test_project_may_be_a_folder_of_a_repository(self, project: Path) -> None:
        """A project in a folder of a repository is dirty by its own files only."""
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

    def test_reading_changes_nothing(self, project: Path) -> None:
        """Reading the state does not change the index of the repository."""
        (project / "runner.py").write_text("1\n")  # the same content, another time: to be looked at
        os.utime(project / "runner.py", (1, 1))
        before = (project / ".git" / "index").read_bytes()
        assert Code.of(project).dirty is False
        assert (project / ".git" / "index").read_bytes() == before

    def test_git_variables_are_ignored(
        self, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Variables of an outer git command do not change what is read."""
        commit = git(project, "rev-parse", "HEAD")
        monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
        monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
        assert Code.of(project) == Code(commit, dirty=False)


class TestNotKnown:
    def test_without_a_project(self) -> None:
        """Without a project, commit and state are unknown."""
        assert Code.of(None) == NOT_KNOWN

    def test_without_a_repository(self, tmp_path: Path) -> None:
        """Outside a repository, commit and state are unknown."""
        assert Code.of(tmp_path) == NOT_KNOWN

    def test_without_a_commit(self, tmp_path: Path) -> None:
        """In a repository without a commit, commit and state are unknown."""
        git(tmp_path, "init", "--quiet")
        assert Code.of(tmp_path) == NOT_KNOWN

    def test_untracked_folder_of_another_repository(self, project: Path) -> None:
        """An untracked folder in another repository has no commit."""
        copied = project / "copied"
        copied.mkdir()
        (copied / "runner.py").touch()
        assert Code.of(copied) == NOT_KNOWN

    def test_missing_folder(self, tmp_path: Path) -> None:
        """For a folder that does not exist, commit and state are unknown."""
        assert Code.of(tmp_path / "missing") == NOT_KNOWN

    def test_without_git(
        self, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without git on the path, commit and state are unknown."""
        put_on_path(monkeypatch, tmp_path / "bin", None)
        assert shutil.which("git") is None
        assert Code.of(project) == NOT_KNOWN

    def test_failing_git(
        self, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """If git fails, commit and state are unknown."""
        put_on_path(monkeypatch, tmp_path / "bin", "print('abc')\nraise SystemExit(128)\n")
        assert Code.of(project) == NOT_KNOWN

    def test_hanging_git(
        self, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A git that hangs is given up after a while; commit and state are unknown."""
        monkeypatch.setattr(_versions, "_GIT_TIME", 0.2)
        put_on_path(monkeypatch, tmp_path / "bin", "import time\ntime.sleep(60)\n")
        began = time.monotonic()
        assert Code.of(project) == NOT_KNOWN
        assert time.monotonic() - began < 30

    def test_unknown_state_leaves_the_commit(
        self, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """If only the state can't be read, the commit is still named."""
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
        """An installed distribution has its version."""
        assert installed_version("pytest") == pytest.__version__

    def test_missing_distribution_is_dev(self) -> None:
        """A distribution that is not installed has the version dev."""
        assert installed_version("no-such-distribution") == "dev"
