from __future__ import annotations

import os
import sys
from importlib.util import module_from_spec, spec_from_file_location
from typing import TYPE_CHECKING

import pytest

from benchmark_runner._project.folders import Project
from benchmark_runner.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def module_file(tmp_path: Path) -> Path:
    """A runner's module, three folders deep in a place without any project."""
    file = tmp_path / "outer" / "my-bench" / "runner" / "benchmark.py"
    file.parent.mkdir(parents=True)
    file.write_text("class MyBenchRunner: ...\n")
    return file


class TestRoot:
    @pytest.mark.parametrize("marker", [".copier-answers.yml", "pyproject.toml"])
    def test_it_is_the_parent_with_a_marker(self, module_file: Path, marker: str) -> None:
        """The root is the parent folder that has a marker file."""
        root = module_file.parents[1]
        (root / marker).touch()

        project = Project.of_file(module_file)

        assert project.root == root
        assert project.package == module_file.parent

    @pytest.mark.parametrize(
        ("near", "far"),
        [
            ("pyproject.toml", ".copier-answers.yml"),
            (".copier-answers.yml", "pyproject.toml"),
            ("pyproject.toml", "pyproject.toml"),
        ],
    )
    def test_nearest_parent_wins(self, module_file: Path, near: str, far: str) -> None:
        """The nearest parent with any marker is the root."""
        (module_file.parents[1] / near).touch()
        (module_file.parents[2] / far).touch()

        assert Project.of_file(module_file).root == module_file.parents[1]

    def test_the_modules_own_folder_counts(self, module_file: Path) -> None:
        """A marker beside the module makes its own folder the root."""
        (module_file.parent / "pyproject.toml").touch()
        (module_file.parents[1] / "pyproject.toml").touch()

        assert Project.of_file(module_file).root == module_file.parent

    def test_folder_is_no_marker(self, module_file: Path) -> None:
        """A folder with the name of a marker is no marker."""
        (module_file.parent / "pyproject.toml").mkdir()
        (module_file.parents[1] / "pyproject.toml").touch()

        assert Project.of_file(module_file).root == module_file.parents[1]

    @pytest.mark.parametrize("folder", ["site-packages", "dist-packages"])
    def test_installed_package_has_no_root(self, tmp_path: Path, folder: str) -> None:
        """An installed package has no root, whatever is above it."""
        (tmp_path / "pyproject.toml").touch()
        package = tmp_path / ".venv" / "lib" / folder / "runner"
        package.mkdir(parents=True)

        assert Project.of_file(package / "benchmark.py").root is None

    def test_link_to_the_module_is_resolved(self, module_file: Path, tmp_path: Path) -> None:
        """A link to the module is resolved before the root is looked for."""
        (module_file.parents[1] / "pyproject.toml").touch()
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        (elsewhere / "pyproject.toml").touch()
        (elsewhere / "runner").symlink_to(module_file.parent)

        root = Project.of_file(elsewhere / "runner" / "benchmark.py").root

        assert root == module_file.parents[1]

    def test_working_directory_is_ignored(
        self, module_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The working directory does not change the root."""
        (module_file.parents[1] / "pyproject.toml").touch()
        elsewhere = tmp_path / "task"
        elsewhere.mkdir()
        (elsewhere / "pyproject.toml").touch()
        monkeypatch.chdir(elsewhere)

        assert Project.of_file(module_file).root == module_file.parents[1]

    def test_root_is_found_from_the_class(
        self, module_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The root is found from the runner class."""
        (module_file.parents[1] / "pyproject.toml").touch()
        spec = spec_from_file_location("a_runner_of_its_own", module_file)
        assert spec is not None
        assert spec.loader is not None
        module = module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)

        assert Project.of(module.MyBenchRunner).root == module_file.parents[1]


class TestFiles:
    def test_data_is_at_the_root(self, module_file: Path) -> None:
        """Data is found at the root, even if the package has a folder data, too."""
        root = module_file.parents[1]
        (root / "pyproject.toml").touch()
        for folder in (root, module_file.parent):
            (folder / "data").mkdir()
            (folder / "data" / "validation.json").touch()

        data = Project.of_file(module_file).data_path("data/validation.json")

        assert data == root / "data" / "validation.json"

    def test_installed_wheel_has_data_in_the_package(self, tmp_path: Path) -> None:
        """An installed wheel finds its data in the package."""
        package = tmp_path / "site-packages" / "runner"
        (package / "data").mkdir(parents=True)
        (package / "data" / "validation.json").touch()

        data = Project.of_file(package / "benchmark.py").data_path("data/validation.json")

        assert data == package / "data" / "validation.json"

    def test_missing_data_is_expected_at_the_root(self, module_file: Path) -> None:
        """The path of data that does not exist is at the root."""
        root = module_file.parents[1]
        (root / "pyproject.toml").touch()

        assert Project.of_file(module_file).data_path("data/x.json") == root / "data" / "x.json"

    def test_results_are_at_the_root(
        self, module_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The results folder is at the root, whatever the working directory."""
        root = module_file.parents[1]
        (root / "pyproject.toml").touch()
        monkeypatch.chdir(tmp_path)

        assert Project.of_file(module_file).results_path("results") == root / "results"

    def test_results_without_a_root(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without a root, the results folder is in the working directory."""
        monkeypatch.chdir(tmp_path)
        project = Project(root=None, package=tmp_path / "site-packages" / "runner")

        assert project.results_path("results") == tmp_path / "results"


class TestDotEnv:
    @pytest.fixture
    def project(self, module_file: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
        for name in ("GREETING", "SERVICE_URL"):
            # Registers the name, so that what the file sets is taken back.
            monkeypatch.setenv(name, "")
            monkeypatch.delenv(name)
        (module_file.parents[1] / "pyproject.toml").touch()
        return Project.of_file(module_file)

    @pytest.mark.parametrize("mark", ["", "\ufeff"])
    def test_dotenv_fills_in_missing_variables(self, mark: str, project: Project) -> None:
        """The .env file sets variables that the environment lacks."""
        assert project.root is not None
        (project.root / ".env").write_text(f'{mark}GREETING="hello"\n# a comment\n')

        project.load_env()

        assert os.environ["GREETING"] == "hello"

    @pytest.mark.parametrize("value", ["https://real.example.com", ""])
    def test_dotenv_never_overrides(
        self, project: Project, monkeypatch: pytest.MonkeyPatch, value: str
    ) -> None:
        """The .env file overrides no variable, not even an empty one."""
        assert project.root is not None
        (project.root / ".env").write_text("SERVICE_URL=https://file.example.com\n")
        monkeypatch.setenv("SERVICE_URL", value)

        project.load_env()

        assert os.environ["SERVICE_URL"] == value

    def test_dotenv_of_working_directory_is_ignored(
        self, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A .env file in the working directory is not read."""
        hostile = tmp_path / "task"
        hostile.mkdir()
        (hostile / ".env").write_text("GREETING=hostile\n")
        monkeypatch.chdir(hostile)

        project.load_env()
        Project(root=None, package=hostile).load_env()

        assert "GREETING" not in os.environ

    @pytest.mark.parametrize("content", [b"GREETING=\xff-secret\n", b"GREETING=a\0secret\n"])
    def test_unreadable_dotenv_hides_its_content(self, project: Project, content: bytes) -> None:
        """A .env file that is no text is an error that does not show its content."""
        assert project.root is not None
        (project.root / ".env").write_bytes(content)

        with pytest.raises(UsageError, match="can't be read: not UTF-8 text") as caught:
            project.load_env()

        assert str(project.root / ".env") in caught.value.message
        assert "secret" not in f"{caught.value.message}{caught.value.hint}"
        assert caught.value.__suppress_context__
