"""What has to be true before a release: each fault is told, and a good state has none."""

from __future__ import annotations

import io
import re
import shutil
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import release

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.conftest import Run

ROOT = Path(__file__).parents[2]
VERSION = release.read_version(ROOT)
INFO = f"vals_benchmark_runner-{VERSION}.dist-info"
CHANGELOG = re.sub(
    rf"^## {re.escape(VERSION)} \(.*\)$",
    f"## {VERSION} (2026-01-31)",
    (ROOT / "CHANGELOG.md").read_text(),
    flags=re.MULTILINE,
)


@pytest.fixture
def clone(template_repo: Path, tmp_path: Path, run: Run) -> Path:
    """A clone of this repository, to be doctored."""
    clone = tmp_path / "clone"
    run("git", "clone", "--quiet", template_repo, clone, cwd=tmp_path)
    return clone


@pytest.fixture(scope="module")
def built(template_repo: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The wheel and the sdist, built for real; to be read only."""
    return release.build(template_repo, tmp_path_factory.mktemp("built") / "dist")


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def doctored_wheel(wheel: Path, folder: Path, changes: Mapping[str, bytes | None]) -> Path:
    """A copy of the wheel with other files in it; ``None`` leaves one out."""
    copy = folder / wheel.name
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(copy, "w") as new:
        files = {name: old.read(name) for name in old.namelist()} | changes
        kept = {name: content for name, content in files.items() if content is not None}
        # As a builder would record it.
        kept[f"{INFO}/RECORD"] = "".join(f"{name},,\n" for name in kept).encode()
        for name, content in kept.items():
            new.writestr(name, content)
    return copy


def doctored_sdist(sdist: Path, folder: Path, changes: Mapping[str, bytes | None]) -> Path:
    """A copy of the sdist with other files in it; ``None`` leaves one out."""
    copy = folder / sdist.name
    top = f"vals_benchmark_runner-{VERSION}"
    with tarfile.open(sdist) as old, tarfile.open(copy, "w:gz") as new:
        files: dict[str, bytes | None] = {}
        for member in old.getmembers():
            content = old.extractfile(member)
            assert content is not None
            files[member.name.removeprefix(f"{top}/")] = content.read()
        for name, content in (files | changes).items():
            if content is not None:
                member = tarfile.TarInfo(f"{top}/{name}")
                member.size = len(content)
                new.addfile(member, io.BytesIO(content))
    return copy


def metadata_of(wheel: Path) -> str:
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(f"{INFO}/METADATA").decode()


class TestVersion:
    def test_requested_version_is_right(self) -> None:
        """A version of three numbers that was asked for is right."""
        assert release.check_version("1.2.3", "1.2.3") == []
        assert release.check_version("1.2.3", None) == []

    @pytest.mark.parametrize("version", ["1.2", "1.2.3rc1", "1.2.3.dev0", "v1.2.3"])
    def test_other_form_of_version_is_refused(self, version: str) -> None:
        """A version of another form is refused."""
        (fault,) = release.check_version(version, None)
        assert fault == f"runtime/pyproject.toml says version {version}, which is not X.Y.Z."

    def test_other_version_than_requested_is_refused(self) -> None:
        """Another version than was asked for is refused."""
        (fault,) = release.check_version("1.2.3", "1.2.4")
        assert fault == "You asked for 1.2.4, but runtime/pyproject.toml says 1.2.3."


class TestChangelog:
    def test_own_changelog_needs_only_the_day(self) -> None:
        """This repository's changelog needs only the day."""
        assert release.check_changelog(CHANGELOG, VERSION) == []

    def test_missing_entry(self) -> None:
        """A changelog without an entry for the version is refused."""
        (fault,) = release.check_changelog(CHANGELOG, "9.9.9")
        assert "begin one with `## 9.9.9 (YYYY-MM-DD)`" in fault

    @pytest.mark.parametrize("day", ["not released", "2026-02-30", "soon"])
    def test_missing_day(self, day: str) -> None:
        """An entry without a valid day is refused."""
        (fault,) = release.check_changelog(CHANGELOG.replace("2026-01-31", day), VERSION)
        assert f"CHANGELOG.md says `{VERSION} ({day})`: put the day of the release" in fault

    @pytest.mark.parametrize("section", release.SECTIONS)
    def test_missing_section(self, section: str) -> None:
        """A missing section is refused, also if an older entry has it."""
        older = CHANGELOG[CHANGELOG.index(f"## {VERSION}") :].replace(VERSION, "0.0.1")
        text = CHANGELOG.replace(f"### {section}\n", "") + older
        (fault,) = release.check_changelog(text, VERSION)
        assert fault == f"CHANGELOG.md has no section `### {section}` for {VERSION}."

    @pytest.mark.parametrize("section", release.SECTIONS)
    def test_empty_section(self, section: str) -> None:
        """An empty section is refused."""
        text = re.sub(rf"(### {section}\n)[^#]*", r"\1\n", CHANGELOG)
        (fault,) = release.check_changelog(text, VERSION)
        assert fault == f"CHANGELOG.md says nothing under `### {section}` for {VERSION}."


class TestPythons:
    def test_own_python_versions_agree(self) -> None:
        """The Python versions of this repository agree."""
        assert release.check_pythons(ROOT) == []

    @pytest.mark.parametrize(
        ("place", "old", "new"),
        [
            ("noxfile.py", '"3.12", ', ""),
            (".github/workflows/ci.yml", "            3.12\n", ""),
            (release.TEMPLATE_WORKFLOW, '"3.12", ', ""),
        ],
    )
    def test_untested_python_version(self, clone: Path, place: str, old: str, new: str) -> None:
        """A Python version that is not tested is refused."""
        replace(clone / place, old, new)
        (fault,) = release.check_pythons(clone)
        assert fault.startswith(f"{place} tests 3.11, 3.13, but the classifiers of ")
        assert fault.endswith(" name 3.11, 3.12, 3.13.")

    def test_missing_list_of_versions(self, clone: Path) -> None:
        """A missing list of Python versions is refused."""
        replace(clone / "noxfile.py", "PYTHONS = ", "VERSIONS = ")
        (fault,) = release.check_pythons(clone)
        assert fault.startswith("noxfile.py tests no Python, ")

    @pytest.mark.parametrize("place", ["runtime/pyproject.toml", "template/pyproject.toml.jinja"])
    def test_other_oldest_version(self, clone: Path, place: str) -> None:
        """Another oldest Python version is refused."""
        replace(clone / place, 'requires-python = ">=3.11"', 'requires-python = ">=3.12"')
        (fault,) = release.check_pythons(clone)
        assert fault.startswith(f"{place} requires >=3.12 of Python, ")


class TestRepository:
    def test_clean_repository_without_the_tag(self, clone: Path, run: Run) -> None:
        """A clean repository without the tag has no problem."""
        run("git", "tag", "v0.0.1", cwd=clone)
        assert release.check_repository(clone, "1.2.3") == []

    def test_uncommitted_changes(self, clone: Path) -> None:
        """Changes that are not committed are refused."""
        (clone / "README.md").write_text("Another.\n")
        (clone / "notes.txt").write_text("Mine.\n")
        (fault,) = release.check_repository(clone, "1.2.3")
        assert fault.endswith("changes that are not committed: README.md, notes.txt.")

    def test_existing_tag(self, clone: Path, run: Run) -> None:
        """A tag that exists is refused."""
        run("git", "tag", "v1.2.3", cwd=clone)
        (fault,) = release.check_repository(clone, "1.2.3")
        assert fault == "The tag v1.2.3 exists already: raise the version."

    def test_tag_that_copier_would_misread(self, clone: Path, run: Run) -> None:
        """A tag that copier would take for a version is refused."""
        run("git", "tag", "runtime-v1.0.0", cwd=clone)
        (fault,) = release.check_repository(clone, "1.2.3")
        assert fault.startswith("The tag runtime-v1.0.0 is not vX.Y.Z")


class TestArchives:
    def test_own_archives_have_no_problem(self, built: list[Path]) -> None:
        """The archives of this repository have no problem."""
        assert release.check_archives(ROOT, built, VERSION) == []

    def test_build_removes_earlier_archives(self, template_repo: Path, tmp_path: Path) -> None:
        """Building removes the archives of an earlier build."""
        (tmp_path / "dist").mkdir()
        (tmp_path / "dist" / "old-0.0.1.tar.gz").touch()
        names = [path.name for path in release.build(template_repo, tmp_path / "dist")]
        assert names == [
            f"vals_benchmark_runner-{VERSION}-py3-none-any.whl",
            f"vals_benchmark_runner-{VERSION}.tar.gz",
        ]

    def test_missing_archive(self, built: list[Path]) -> None:
        """A missing archive is refused."""
        (fault,) = release.check_archives(ROOT, built[:1], VERSION)
        assert fault.endswith(f"vals_benchmark_runner-{VERSION}.tar.gz, not {built[0].name}.")

    @pytest.mark.sampled(1)
    @pytest.mark.parametrize(
        ("name", "content", "fault"),
        [
            ("benchmark_runner/py.typed", None, "benchmark_runner/py.typed"),
            (f"{INFO}/licenses/LICENSE", None, f"The wheel lacks {INFO}/licenses/LICENSE."),
            (f"{INFO}/entry_points.txt", None, f"The wheel lacks {INFO}/entry_points.txt."),
            ("tests/test_it.py", b"", "tests/test_it.py"),
            ("benchmark_runner/scratch.py", b"", "benchmark_runner/scratch.py"),
        ],
    )
    def test_wheel_with_missing_or_stray_files(
        self, built: list[Path], tmp_path: Path, name: str, content: bytes | None, fault: str
    ) -> None:
        """A wheel with missing or stray files is refused."""
        wheel, sdist = built
        doctored = doctored_wheel(wheel, tmp_path, {name: content})
        assert fault in " ".join(release.check_archives(ROOT, [doctored, sdist], VERSION))

    @pytest.mark.sampled(1)
    @pytest.mark.parametrize(
        ("name", "content", "fault"),
        [
            ("LICENSE", None, "The sdist lacks LICENSE."),
            ("src/benchmark_runner/llm.py", None, "The sdist lacks src/benchmark_runner/llm.py."),
            (".env", b"", "The sdist holds .env, a stray file."),
        ],
    )
    def test_sdist_with_missing_or_stray_files(
        self, built: list[Path], tmp_path: Path, name: str, content: bytes | None, fault: str
    ) -> None:
        """An sdist with missing or stray files is refused."""
        wheel, sdist = built
        doctored = doctored_sdist(sdist, tmp_path, {name: content})
        assert release.check_archives(ROOT, [wheel, doctored], VERSION) == [fault]

    @pytest.mark.sampled(2)
    @pytest.mark.parametrize(
        ("right", "wrong"),
        [
            ("License-Expression: MIT", "License-Expression: Apache-2.0"),
            ("License-File: LICENSE", "License-File: COPYING"),
            (f"Version: {VERSION}", "Version: 9.9.9"),
            ("Requires-Python: >=3.11", "Requires-Python: >=3.8"),
            ("Description-Content-Type: text/markdown", "Description-Content-Type: text/x-rst"),
        ],
    )
    def test_wrong_metadata(
        self, built: list[Path], tmp_path: Path, right: str, wrong: str
    ) -> None:
        """Wrong metadata are refused in wheel and sdist."""
        wheel, sdist = built
        text = metadata_of(wheel)
        assert f"\n{right}\n" in text
        text = text.replace(f"\n{right}\n", f"\n{wrong}\n")
        doctored = [
            doctored_wheel(wheel, tmp_path, {f"{INFO}/METADATA": text.encode()}),
            doctored_sdist(sdist, tmp_path, {"PKG-INFO": text.encode()}),
        ]
        faults = release.check_archives(ROOT, doctored, VERSION)
        for archive in ("wheel", "sdist"):
            value = right.partition(": ")[2]
            assert f"The {archive}'s metadata says {wrong}, not {value}." in faults

    def test_description_that_no_index_can_show(self, built: list[Path], tmp_path: Path) -> None:
        """A description that no index can show is refused."""
        wheel, sdist = built
        head, _, _ = metadata_of(wheel).partition("\n\n")
        doctored = doctored_wheel(wheel, tmp_path, {f"{INFO}/METADATA": f"{head}\n\n".encode()})
        faults = release.check_archives(ROOT, [doctored, sdist], VERSION)
        assert any(fault.startswith("twine: ") for fault in faults)


class TestInUse:
    @pytest.mark.full
    def test_archives_work_when_installed_alone(self, built: list[Path]) -> None:
        """Each archive works in an environment of its own."""
        for archive in built:
            assert release.check_in_use(archive, VERSION) == []

    @pytest.mark.parametrize(
        ("name", "content", "step"),
        [
            ("benchmark_runner/__init__.py", b"raise ImportError('gone')\n", "import"),
            pytest.param(
                "benchmark_runner/create.py",
                b"def main(): raise RuntimeError('gone')\n",
                "create-benchmark-runner --help",
                marks=pytest.mark.full,
            ),
            pytest.param(
                "benchmark_runner/local/app.py",
                b"raise ImportError('gone')\n",
                "run",
                marks=pytest.mark.full,
            ),
        ],
    )
    def test_broken_archive_is_reported(
        self, built: list[Path], tmp_path: Path, name: str, content: bytes, step: str
    ) -> None:
        """An archive that does not work is reported with the step."""
        doctored = doctored_wheel(built[0], tmp_path, {name: content})
        (fault,) = release.check_in_use(doctored, VERSION)
        assert fault.startswith(f"{doctored.name}, installed alone, fails at {step}: ")
        assert "gone" in fault

    def test_other_installed_version_is_reported(self, built: list[Path]) -> None:
        """Another version than was built is reported."""
        (fault,) = release.check_in_use(built[0], "9.9.9")
        assert "installed alone, fails at --version: " in fault


class TestTheWhole:
    def test_ready_state_prints_the_next_steps(self, clone: Path, run: Run) -> None:
        """A state that is ready gets the next steps in order."""
        (clone / "CHANGELOG.md").write_text(CHANGELOG)
        run("git", "commit", "--quiet", "--allow-empty", "--all", "--message", "Date", cwd=clone)
        printed = run(sys.executable, ".ci/release.py", VERSION, cwd=clone)
        steps = [
            f"{VERSION} can be released.",
            "git push origin main",
            f"gh workflow run release.yml --ref main -f version={VERSION}",
            "Do not push the tag by hand",
        ]
        places = [printed.index(step) for step in steps]
        assert places == sorted(places)
        assert run("git", "status", "--porcelain", cwd=clone) == ""
        assert run("git", "tag", cwd=clone) == ""

    @pytest.mark.full
    def test_all_problems_are_listed(self, clone: Path, run: Run) -> None:
        """All problems are listed at once."""
        (clone / "CHANGELOG.md").write_text(CHANGELOG.replace("2026-01-31", "not released"))
        (clone / "notes.txt").write_text("Mine.\n")
        shutil.rmtree(clone / "runtime" / "src" / "benchmark_runner" / "local")
        printed = run(sys.executable, ".ci/release.py", "9.9.9", cwd=clone, code=1)
        assert f"{VERSION} can't be released yet:\n- You asked for 9.9.9, but" in printed
        assert f"- CHANGELOG.md says `{VERSION} (not released)`" in printed
        assert "notes.txt.\n" in printed
        assert "- The sdist lacks src/benchmark_runner/local/app.py.\n" in printed
        assert "installed alone, fails at run: " in printed
        assert "can be released" not in printed
