"""The workflows of this repository: what runs only elsewhere is held to its rules here."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from tests.conftest import Run

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github" / "workflows"
TEMPLATE_WORKFLOW = ROOT / "template" / "{% if ci %}.github{% endif %}" / "workflows" / "ci.yml"
PINNED = re.compile(r"([\w-]+/[\w-]+)@([0-9a-f]{40}) # v\d+\.\d+\.\d+")


def actions(file: Path) -> dict[str, str]:
    """The actions that a workflow uses, and what each is pinned to."""
    used = re.findall(r"uses: (.+)", file.read_text())
    assert used
    pins = {}
    for action in used:
        pinned = PINNED.fullmatch(action)
        assert pinned is not None, action
        pins[pinned[1]] = pinned[2]
    return pins


@pytest.fixture
def release() -> dict[str, Any]:
    return yaml.safe_load((FOLDER / "release.yml").read_text())


@pytest.fixture
def jobs(release: dict[str, Any]) -> dict[str, Any]:
    return release["jobs"]


def test_workflows_pass_their_linters(run: Run) -> None:
    """The workflows pass their linters."""
    files = sorted(FOLDER.glob("*.yml"))
    assert [file.name for file in files] == ["ci.yml", "docs.yml", "release.yml"]
    run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *files, cwd=ROOT)
    run("zizmor", "--offline", "--pedantic", "--no-config", *files, cwd=ROOT)


@pytest.mark.parametrize("name", ["ci.yml", "docs.yml", "release.yml"])
def test_actions_are_pinned_as_in_a_copy(name: str) -> None:
    """Each action is pinned to a commit, the same one as in a copy."""
    of_a_copy = actions(TEMPLATE_WORKFLOW)
    for action, commit in actions(FOLDER / name).items():
        assert of_a_copy.get(action, commit) == commit


@pytest.mark.parametrize("name", ["ci.yml", "docs.yml", "release.yml"])
def test_permissions_are_minimal(name: str) -> None:
    """Only the job that needs a permission has it."""
    workflow = yaml.safe_load((FOLDER / name).read_text())
    assert workflow["permissions"] == {}
    given = {job: content["permissions"] for job, content in workflow["jobs"].items()}
    assert (
        given
        == {
            "ci.yml": {"check": {"contents": "read"}},
            "docs.yml": {
                "build": {"contents": "read"},
                "publish": {"id-token": "write", "pages": "write"},
            },
            "release.yml": {
                "build": {"contents": "read"},
                "publish": {"id-token": "write"},
                "tag": {"contents": "write"},
            },
        }[name]
    )


class TestCi:
    def test_ci_runs_the_script_on_each_system(self) -> None:
        """CI runs the one script on each system that is promised."""
        (job,) = yaml.safe_load((FOLDER / "ci.yml").read_text())["jobs"].values()
        assert job["steps"][-1]["run"] == ".ci/run"
        assert os.access(ROOT / ".ci" / "run", os.X_OK)
        systems = {name.partition("-")[0] for name in job["strategy"]["matrix"]["os"]}
        project = tomllib.loads((ROOT / "runtime" / "pyproject.toml").read_text())["project"]
        promised = {line for line in project["classifiers"] if line.startswith("Operating System")}
        named = {
            "Operating System :: MacOS": "macos",
            "Operating System :: POSIX :: Linux": "ubuntu",
        }
        assert systems == {named[line] for line in promised}


class TestDocs:
    def test_docs_are_published_from_main(self) -> None:
        """The site that the session built is published, from main only."""
        jobs = yaml.safe_load((FOLDER / "docs.yml").read_text())["jobs"]
        *_, build, upload = jobs["build"]["steps"]
        assert build["run"].splitlines()[-1] == "nox -s docs"
        assert "\ndef docs(" in (ROOT / "noxfile.py").read_text()
        site = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]["site_dir"]
        assert upload["with"]["path"] == f"{site}/"
        assert jobs["publish"]["needs"] == "build"
        assert jobs["publish"]["if"] == "github.ref == 'refs/heads/main'"


class TestRelease:
    def test_release_is_started_by_hand(self, release: dict[str, Any]) -> None:
        """A release is started by hand and asks for the version."""
        # YAML reads the key `on` as a truth value.
        assert list(release[True]) == ["workflow_dispatch"]
        assert release[True]["workflow_dispatch"]["inputs"]["version"]["required"] is True

    def test_tag_comes_last(self, jobs: dict[str, Any]) -> None:
        """The tag is made after building and publishing."""
        assert list(jobs) == ["build", "publish", "tag"]
        assert "needs" not in jobs["build"]
        assert jobs["publish"]["needs"] == "build"
        assert jobs["tag"]["needs"] == "publish"

    def test_published_files_were_checked(self, jobs: dict[str, Any]) -> None:
        """The files that are published are those that were checked and built."""
        refuse, _, _, check, upload = jobs["build"]["steps"]
        download, publish = jobs["publish"]["steps"]
        assert refuse["if"] == "github.ref != 'refs/heads/main'"
        assert check["run"].splitlines()[-1] == 'nox -s release -- "$VERSION"'
        assert "\ndef release(" in (ROOT / "noxfile.py").read_text()
        assert upload["with"]["path"] == publish["with"]["packages-dir"] == "dist/"
        assert download["with"] == {"name": upload["with"]["name"], "path": "dist/"}

    def test_release_is_attested_without_a_token(self, jobs: dict[str, Any]) -> None:
        """The release is attested and needs no token."""
        publish = jobs["publish"]["steps"][-1]
        assert publish["with"]["attestations"] is True
        assert "password" not in publish["with"]
        assert jobs["publish"]["environment"] == "release"
        assert "secrets." not in (FOLDER / "release.yml").read_text()

    def test_tag_is_of_the_built_commit(self, jobs: dict[str, Any], tmp_path: Path) -> None:
        """The tag is made of the commit that was built."""
        # GitHub's command line can't be reached from a test: this tells how it is called.
        gh = tmp_path / "gh"
        gh.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
        gh.chmod(0o755)
        (step,) = jobs["tag"]["steps"]
        done = subprocess.run(
            ["bash", "-e", "-c", step["run"]],
            env={
                "PATH": f"{tmp_path}{os.pathsep}{os.defpath}",
                "GITHUB_REPOSITORY": "vals-ai/create-benchmark-runner",
                "GITHUB_SHA": "1234abcd",
                "VERSION": "1.2.3",
            },
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.splitlines() == [
            "api", "repos/vals-ai/create-benchmark-runner/git/refs",
            "--raw-field", "ref=refs/tags/v1.2.3", "--raw-field", "sha=1234abcd",
        ]  # fmt: skip
