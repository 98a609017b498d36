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

    @pytest.mark.parametrize("commit_name", ["v0.9.0", "v0.9.0-4-gabcdef0", "abcdef0"])
    def test_a_newer_release_is_told_with_the_update_and_is_no_fault(
        self,
        healthy: RunnerProject,
        template: Callable[..., str],
        tmp_path: Path,
        commit_name: str,
    ) -> None:
        template("v0.9.0", "v0.10.0", "v1.0.0rc1", "other-9.0.0", "9.0.0", "v9.0")
        found = self.check(healthy, str(tmp_path / "template"), commit_name)
        assert found["status"] == "ok"
        assert found["message"] == f"v0.10.0 is out; this is {commit_name}"
        assert "update" in found["remedy"]

    @pytest.mark.parametrize("commit_name", ["v0.10.0", "v0.10.0-4-gabcdef0", "v1.0.0rc1"])
    def test_the_newest_release_is_told_to_be_that(
        self,
        healthy: RunnerProject,
        template: Callable[..., str],
        tmp_path: Path,
        commit_name: str,
    ) -> None:
        template("v0.9.0", "v0.10.0")
        found = self.check(healthy, str(tmp_path / "template"), commit_name)
        assert (found["status"], found["remedy"]) == ("ok", None)
        assert found["message"].startswith("v0.10.0 is the newest release")

    def test_a_commit_that_was_released_later_is_that_release(
        self, healthy: RunnerProject, template: Callable[..., str], tmp_path: Path
    ) -> None:
        made = template("v0.2.0")
        found = self.check(healthy, str(tmp_path / "template"), made[:7])
        assert found["message"].startswith("v0.2.0 is the newest release")

    def test_before_the_first_release_there_is_none(
        self, healthy: RunnerProject, template: Callable[..., str], tmp_path: Path
    ) -> None:
        template()
        found = self.check(healthy, f"git+file://{tmp_path}/template", "abcdef0")
        assert (found["status"], found["remedy"]) == ("ok", None)
        assert "no release is out" in found["message"]

    def test_a_repository_that_is_not_there_leaves_it_open_with_the_command(
        self, healthy: RunnerProject
    ) -> None:
        found = self.check(healthy, "/nowhere", "v0.1.0")
        assert found["status"] == "not_checked"
        assert "'/nowhere' does not appear to be a git repository" in found["message"]
        assert found["remedy"].endswith("copier check-update")

    def test_without_git_it_is_left_open(
        self, healthy: RunnerProject, monkeypatch: pytest.MonkeyPatch
    ) -> None:
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
    def test_an_address_is_what_copier_makes_of_it(self, source: str, address: str) -> None:
        assert updates.repository_of(source) == address
