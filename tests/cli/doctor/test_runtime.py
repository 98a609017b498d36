"""The installed runtime, and another project of its import name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmark_runner.cli.doctor import runtime
from tests.cli.doctor.repositories import ask_for, install, offline, write_answers

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import RunnerProject


class TestRuntime:
    def test_a_version_that_the_project_does_not_ask_for_is_a_fault(
        self, healthy: RunnerProject
    ) -> None:
        ask_for(healthy, ">=98,<99")
        found = offline(healthy)["runtime"]
        assert found["status"] == "fault"
        assert "pyproject.toml asks for <99,>=98" in found["message"]

    def test_a_version_older_than_the_template_is_a_fault_though_the_line_allows_it(
        self, healthy: RunnerProject
    ) -> None:
        ask_for(healthy, "<99")
        write_answers(healthy, _commit="v98.0.0-3-gabcdef0")
        found = offline(healthy)["runtime"]
        assert found["status"] == "fault"
        assert "those of 98.0.0" in found["message"]

    @pytest.mark.parametrize("asked", [" @ https://example.com/a.zip", "", "~=0.0", ">=0.0.0.dev1"])
    def test_other_ways_to_ask_for_it_are_fine(self, healthy: RunnerProject, asked: str) -> None:
        ask_for(healthy, asked)
        assert offline(healthy)["runtime"]["status"] == "ok"

    def test_the_version_is_that_of_what_is_installed(
        self, healthy: RunnerProject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        install(tmp_path / "site", "vals-benchmark-runner", "0.0.5")
        monkeypatch.syspath_prepend(str(tmp_path / "site"))
        found = offline(healthy)["runtime"]
        assert found["status"] == "fault"
        assert "0.0.5 is installed" in found["message"]

    def test_one_that_is_not_installed_is_a_fault(
        self, healthy: RunnerProject, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def version(name: str) -> str:
            raise runtime.PackageNotFoundError(name)

        monkeypatch.setattr(runtime, "version", version)
        assert "not installed" in offline(healthy)["runtime"]["message"]

    @pytest.mark.parametrize("make", [True, False])
    def test_the_remedy_installs_by_make_where_the_project_has_a_makefile(
        self, healthy: RunnerProject, monkeypatch: pytest.MonkeyPatch, make: bool, tmp_path: Path
    ) -> None:
        for tool in ("make", "uv"):
            (tmp_path / "bin").mkdir(exist_ok=True)
            (tmp_path / "bin" / tool).write_text("#!/bin/sh\n")
            (tmp_path / "bin" / tool).chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))
        ask_for(healthy, ">=98,<99")
        if make:
            (healthy.root / "Makefile").write_text("install:\n")
        remedy = offline(healthy)["runtime"]["remedy"]
        assert remedy == ("make install" if make else "uv sync")

    def test_a_project_that_does_not_ask_for_it_is_a_fault(self, healthy: RunnerProject) -> None:
        (healthy.root / "pyproject.toml").write_text('[project]\nname = "sample-runner"\n')
        found = offline(healthy)["runtime"]
        assert found["status"] == "fault"
        assert "does not ask for vals-benchmark-runner" in found["message"]

    @pytest.mark.parametrize("text", ["[project\n", None, "x = '\udcff'\n"])
    def test_metadata_that_can_not_be_read_are_a_fault(
        self, healthy: RunnerProject, text: str | None
    ) -> None:
        file = healthy.root / "pyproject.toml"
        if text is None:
            file.unlink()
        else:
            file.write_bytes(text.encode(errors="surrogateescape"))
        found = offline(healthy)["runtime"]
        assert found["status"] == "fault"
        assert found["message"].startswith("pyproject.toml ")


class TestNamesake:
    def test_another_projects_package_is_told_with_what_takes_both_out(
        self, healthy: RunnerProject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        install(tmp_path / "site", "benchmark-runner", "1.2.3")
        monkeypatch.syspath_prepend(str(tmp_path / "site"))
        found = offline(healthy)["namesake"]
        assert found["status"] == "fault"
        assert "benchmark-runner 1.2.3, another project, is installed beside" in found["message"]
        assert "uninstall" in found["remedy"]
        assert " benchmark-runner vals-benchmark-runner && " in found["remedy"]
        assert "pyproject.toml" not in found["remedy"]

    def test_where_the_project_asks_for_it_that_comes_first(
        self, healthy: RunnerProject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        install(tmp_path / "site", "benchmark-runner", "1.2.3")
        monkeypatch.syspath_prepend(str(tmp_path / "site"))
        ask_for(healthy, '>=0.1", "Benchmark_Runner>=1')
        remedy = offline(healthy)["namesake"]["remedy"]
        assert remedy.startswith("Remove benchmark-runner from pyproject.toml first.\n")
