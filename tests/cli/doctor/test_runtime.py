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
    def test_unwanted_runtime_is_a_problem(self, healthy: RunnerProject) -> None:
        """A runtime that the project does not ask for is a problem."""
        ask_for(healthy, ">=98,<99")
        found = offline(healthy)["runtime"]
        assert found["status"] == "fault"
        assert "pyproject.toml asks for <99,>=98" in found["message"]

    def test_runtime_older_than_the_template(self, healthy: RunnerProject) -> None:
        """A runtime older than the template is a problem."""
        ask_for(healthy, "<99")
        write_answers(healthy, _commit="v98.0.0-3-gabcdef0")
        found = offline(healthy)["runtime"]
        assert found["status"] == "fault"
        assert "those of 98.0.0" in found["message"]

    @pytest.mark.parametrize("asked", [" @ https://example.com/a.zip", "", "~=0.0", ">=0.0.0.dev1"])
    def test_other_requirements_are_fine(self, healthy: RunnerProject, asked: str) -> None:
        """Other ways to require the runtime are fine."""
        ask_for(healthy, asked)
        assert offline(healthy)["runtime"]["status"] == "ok"

    def test_installed_version_counts(
        self, healthy: RunnerProject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """The version is that of the installed runtime."""
        install(tmp_path / "site", "vals-benchmark-runner", "0.0.5")
        monkeypatch.syspath_prepend(str(tmp_path / "site"))
        found = offline(healthy)["runtime"]
        assert found["status"] == "fault"
        assert "0.0.5 is installed" in found["message"]

    def test_missing_runtime_is_a_problem(
        self, healthy: RunnerProject, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A runtime that is not installed is a problem."""

        def version(name: str) -> str:
            raise runtime.PackageNotFoundError(name)

        monkeypatch.setattr(runtime, "version", version)
        assert "not installed" in offline(healthy)["runtime"]["message"]

    @pytest.mark.parametrize("make", [True, False])
    def test_remedy_uses_make_if_there_is_one(
        self, healthy: RunnerProject, monkeypatch: pytest.MonkeyPatch, make: bool, tmp_path: Path
    ) -> None:
        """The remedy uses make if the project has a Makefile."""
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

    def test_unrequired_runtime_is_a_problem(self, healthy: RunnerProject) -> None:
        """A project that does not require the runtime is a problem."""
        (healthy.root / "pyproject.toml").write_text('[project]\nname = "sample-runner"\n')
        found = offline(healthy)["runtime"]
        assert found["status"] == "fault"
        assert "does not ask for vals-benchmark-runner" in found["message"]

    @pytest.mark.parametrize("text", ["[project\n", None, "x = '\udcff'\n"])
    def test_unreadable_metadata_are_a_problem(
        self, healthy: RunnerProject, text: str | None
    ) -> None:
        """A pyproject.toml that can't be read is a problem."""
        file = healthy.root / "pyproject.toml"
        if text is None:
            file.unlink()
        else:
            file.write_bytes(text.encode(errors="surrogateescape"))
        found = offline(healthy)["runtime"]
        assert found["status"] == "fault"
        assert found["message"].startswith("pyproject.toml ")


class TestNamesake:
    def test_namesake_package_is_a_problem(
        self, healthy: RunnerProject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """Another project's package of the same import name is a problem."""
        install(tmp_path / "site", "benchmark-runner", "1.2.3")
        monkeypatch.syspath_prepend(str(tmp_path / "site"))
        found = offline(healthy)["namesake"]
        assert found["status"] == "fault"
        assert "benchmark-runner 1.2.3, another project, is installed beside" in found["message"]
        assert "uninstall" in found["remedy"]
        assert " benchmark-runner vals-benchmark-runner && " in found["remedy"]
        assert "pyproject.toml" not in found["remedy"]

    def test_required_namesake_is_removed_first(
        self, healthy: RunnerProject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """If the project requires the other package, the remedy removes that first."""
        install(tmp_path / "site", "benchmark-runner", "1.2.3")
        monkeypatch.syspath_prepend(str(tmp_path / "site"))
        ask_for(healthy, '>=0.1", "Benchmark_Runner>=1')
        remedy = offline(healthy)["namesake"]["remedy"]
        assert remedy.startswith("Remove benchmark-runner from pyproject.toml first.\n")
