"""The image of a copy: what its Dockerfile builds, carried out without Docker."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.template.copies import run_result
from tests.template.versions import ROOT

if TYPE_CHECKING:
    from tests.conftest import Run
    from tests.template.conftest import CopyTemplate

#: What the extras bring, which an image has no need of.
DEVELOPERS = {"jinja2", "packaging", "pyyaml", "uvicorn", "vl-convert-python", "pytest", "ruff"}


class Image:
    """Carries out the COPY and RUN steps that concern the project, and keeps .venv only."""

    def __init__(self, folder: Path, run: Run) -> None:
        self.app = folder
        self.app.mkdir()
        self.run = run

    def build(self, project: Path, code: int = 0) -> str:
        text = (project / "Dockerfile").read_text()
        stage = text.split(" AS build\n")[1].split("\nFROM ")[0]
        steps = re.sub(r"\\\n\s*", "", re.sub(r"(?m)^#.*\n", "", stage)).splitlines()
        printed = ""
        for step in steps:
            if step.startswith("COPY . ."):
                ignore = shutil.ignore_patterns(".venv", ".git", "tests", "results")
                shutil.copytree(project, self.app, dirs_exist_ok=True, ignore=ignore)
            elif step.startswith("COPY pyproject.toml uv.lock* ./"):
                for path in (project / "pyproject.toml", *project.glob("uv.lock*")):
                    shutil.copy(path, self.app)
            elif step.startswith("RUN ") and ("uv sync" in step or "uv venv" in step):
                env = {"UV_PROJECT_ENVIRONMENT": str(self.app / ".venv")}
                shell = step.removeprefix("RUN ")
                printed += self.run("sh", "-c", shell, cwd=self.app, env=env, code=code)
        assert printed
        for path in self.app.iterdir():
            if path.is_file():
                path.unlink()
            elif path.name != ".venv":
                shutil.rmtree(path)
        return printed


def distributions(python: Path, run: Run) -> set[str]:
    """What is installed beside this Python."""
    listed = run("uv", "pip", "list", "--quiet", "--format", "json", "--python", python, cwd=ROOT)
    return {each["name"].lower() for each in json.loads(listed)}


def test_image_has_no_extra(copy_template: CopyTemplate, run: Run, tmp_path: Path) -> None:
    """Without the dev group nothing of an extra is installed, and a run works."""
    project = copy_template(tmp_path / "my-bench")
    run("uv", "sync", "--quiet", "--no-dev", cwd=project)
    installed = distributions(project / ".venv/bin/python", run)
    assert "vals-benchmark-runner" in installed
    assert not installed & DEVELOPERS
    run(project / ".venv/bin/my-bench-runner", "run", "--limit", "1", cwd=project)
    assert run_result(project / "results")["complete"] is True


@pytest.mark.full
@pytest.mark.parametrize("locked", [True, False], ids=["with a lock", "without a lock"])
@pytest.mark.parametrize("source", ["clone", "git"])
def test_dockerfile_steps_make_a_runner(
    source: str,
    locked: bool,
    copy_template: CopyTemplate,
    template_repo: Path,
    run: Run,
    tmp_path: Path,
) -> None:
    """The steps of the Dockerfile make a runner."""
    project = copy_template(
        tmp_path / "my-bench",
        runtime_source=source,
        **({"runtime_git_url": f"file://{template_repo}"} if source == "git" else {}),
    )
    if locked:
        run("uv", "lock", "--quiet", cwd=project)
    if source == "clone":
        run("make", "vendor", cwd=project)
    image = Image(tmp_path / "image", run)
    image.build(project)
    printed = run(image.app / ".venv/bin/my-bench-runner", "--help", cwd=tmp_path)
    assert "run" in printed
    assert not distributions(image.app / ".venv/bin/python", run) & DEVELOPERS
    run(
        image.app / ".venv/bin/my-bench-runner", "run", "--dataset-name", "validation",
        "--limit", "2", "--results-dir", tmp_path / "results",
        cwd=tmp_path,
    )  # fmt: skip
    assert run_result(tmp_path / "results")["complete"] is True


def test_image_without_a_wheel_says_what_to_do(
    copy_template: CopyTemplate, run: Run, tmp_path: Path
) -> None:
    """An image without the runtime's wheel says what to do."""
    project = copy_template(tmp_path / "my-bench")
    image = Image(tmp_path / "image", run)
    assert "build the image with 'make docker-build'" in image.build(project, code=1)
