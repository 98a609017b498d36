"""The template's releases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from benchmark_runner.cli.doctor import updates
from tests.cli.doctor.repositories import checks, write_answers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import RunnerProject


class TestTemplate:
    def check(self, project: RunnerProject, source: str, commit_name: str) -> dict[str, Any]:
        write_answers(project, _src_path=source, _commit=commit_name)
        return checks(project.run("doctor", "--json"))["template"]

    @pytest.mark.sampled(2)
    @pytest.mark.parametrize("commit_name", ["v0.9.0", "v0.9.0-4-gabcdef0", "abcdef0"])
    def test_newer_release_is_reported(
        self,
        healthy: RunnerProject,
        template: Callable[..., str],
        tmp_path: Path,
        commit_name: str,
    ) -> None:
        """A newer release of the template is reported and is no problem."""
        template("v0.9.0", "v0.10.0", "v1.0.0rc1", "other-9.0.0", "9.0.0", "v9.0")
        found = self.check(healthy, str(tmp_path / "template"), commit_name)
        assert found["status"] == "ok"
        assert found["message"] == f"v0.10.0 is out; this is {commit_name}"
        assert "update" in found["remedy"]

    @pytest.mark.sampled(2)
    @pytest.mark.parametrize("commit_name", ["v0.10.0", "v0.10.0-4-gabcdef0", "v1.0.0rc1"])
    def test_newest_release_is_recognised(
        self,
        healthy: RunnerProject,
        template: Callable[..., str],
        tmp_path: Path,
        commit_name: str,
    ) -> None:
        """The newest release is recognised as such."""
        template("v0.9.0", "v0.10.0")
        found = self.check(healthy, str(tmp_path / "template"), commit_name)
        assert (found["status"], found["remedy"]) == ("ok", None)
        assert found["message"].startswith("v0.10.0 is the newest release")

    def test_released_commit_is_that_release(
        self, healthy: RunnerProject, template: Callable[..., str], tmp_path: Path
    ) -> None:
        """A commit that was released later is that release."""
        made = template("v0.2.0")
        found = self.check(healthy, str(tmp_path / "template"), made[:7])
        assert found["message"].startswith("v0.2.0 is the newest release")

    def test_no_release_yet(
        self, healthy: RunnerProject, template: Callable[..., str], tmp_path: Path
    ) -> None:
        """Before the first release there is none."""
        template()
        found = self.check(healthy, f"git+file://{tmp_path}/template", "abcdef0")
        assert (found["status"], found["remedy"]) == ("ok", None)
        assert "no release is out" in found["message"]

    def test_missing_repository_is_not_checked(self, healthy: RunnerProject) -> None:
        """A template that can't be found leaves the check open with the command."""
        found = self.check(healthy, "/nowhere", "v0.1.0")
        assert found["status"] == "not_checked"
        assert "'/nowhere' does not appear to be a git repository" in found["message"]
        assert found["remedy"].endswith("copier check-update")

    def test_missing_git_is_not_checked(
        self, healthy: RunnerProject, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without git the check is left open."""
        monkeypatch.setenv("PATH", "/nowhere")
        found = self.check(healthy, "gh:vals-ai/create-benchmark-runner", "v0.1.0")
        assert found["status"] == "not_checked"
        assert "git can't be started" in found["message"]

    @pytest.mark.parametrize(
        ("source", "address"),
        [
            ("gh:a/b", "https://github.com/a/b.git"),
            ("gh:/a/b.git", "https://github.com/a/b.git"),
            ("gl:a/b", "https://gitlab.com/a/b.git"),
            ("git+https://example.com/a", "https://example.com/a"),
            ("git@github.com:a/b.git", "git@github.com:a/b.git"),
            ("/home/me/template", "/home/me/template"),
        ],
    )
    def test_address_is_expanded_as_by_copier(self, source: str, address: str) -> None:
        """An address is expanded as copier does it."""
        assert updates.repository_of(source) == address
