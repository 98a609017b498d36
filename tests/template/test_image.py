"""The image of a copy: what its Dockerfile builds, carried out without Docker."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.template.versions import ROOT

if TYPE_CHECKING:
    from tests.conftest import Run
    from tests.template.conftest import CopyTemplate

#: What the extras bring, which an image has no need of.
DEVELOPERS = {
    "jinja2",
    "packaging",
    "pyyaml",
    "uvicorn",
    "wsproto",
    "vl-convert-python",
    "pytest",
    "ruff",
}


class Image:
    """Carries out the COPY and RUN steps that concern the project, and keeps what the image has."""

    def __init__(self, folder: Path, run: Run) -> None:
        self.app = folder
        self.app.mkdir()
        self.run = run

    def build(self, project: Path, code: int = 0, path: str | None = None) -> str:
        text = (project / "Dockerfile").read_text()
        stage, image = text.split(" AS build\n")[1].split("\nFROM ")
        steps = re.sub(r"\\\n\s*", "", re.sub(r"(?m)^#.*\n", "", stage)).splitlines()
        printed = ""
        for step in steps:
            if step.startswith("COPY . ."):
                ignore = shutil.ignore_patterns(".venv", ".git", "tests", "results")
                shutil.copytree(project, self.app, dirs_exist_ok=True, ignore=ignore)
            elif step.startswith("COPY pyproject.toml uv.lock* ./"):
                for file in (project / "pyproject.toml", *project.glob("uv.lock*")):
                    shutil.copy(file, self.app)
            elif step.startswith("RUN ") and ("uv sync" in step or "uv venv" in step):
                env = {"UV_PROJECT_ENVIRONMENT": str(self.app / ".venv")}
                env |= {"PATH": path} if path else {}
                shell = step.removeprefix("RUN ")
                printed += self.run("sh", "-c", shell, cwd=self.app, env=env, code=code)
        assert printed
        kept = re.findall(r"(?m)^COPY --from=build (?:--chown=1000 )?/app/(\S+) /app/\1$", image)
        for entry in self.app.iterdir():
            if entry.is_file():
                entry.unlink()
            elif entry.name not in kept:
                shutil.rmtree(entry)
        return printed


def distributions(python: Path, run: Run) -> set[str]:
    """What is installed beside this Python."""
    listed = run("uv", "pip", "list", "--quiet", "--format", "json", "--python", python, cwd=ROOT)
    return {each["name"].lower() for each in json.loads(listed)}


@pytest.mark.parametrize(
    ("source", "locked"),
    [
        ("clone", False),
        pytest.param("clone", True, marks=pytest.mark.full),
        pytest.param("git", False, marks=pytest.mark.full),
        pytest.param("git", True, marks=pytest.mark.full),
    ],
)
def test_dockerfile_steps_make_a_runner(
    source: str,
    locked: bool,
    copy_template: CopyTemplate,
    template_repo: Path,
    run: Run,
    tmp_path: Path,
) -> None:
    """The steps of the Dockerfile make a runner without any extra, and with its data."""
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
    assert not distributions(image.app / ".venv/bin/python", run) & DEVELOPERS
    for name, dataset in {
        "default": ("--dataset-name", "validation"),
        "orchestrated": ("--skip-eval", "--dataset-file", image.app / "data/validation.json"),
    }.items():
        run(
            image.app / ".venv/bin/my-bench-runner", "run", "--run-id", name, *dataset,
            "--results-dir", tmp_path / "results", "sum-of-products",
            cwd=tmp_path,
        )  # fmt: skip
        assert (tmp_path / f"results/{name}/sum-of-products/generation.json").is_file()


def test_image_without_data_is_built(copy_template: CopyTemplate, run: Run, tmp_path: Path) -> None:
    """A runner without data of its own has an empty folder for an orchestrator's."""
    project = copy_template(tmp_path / "my-bench", runtime_source="index")
    shutil.rmtree(project / "data")
    image = Image(tmp_path / "image", run)
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "uv").write_text("#!/bin/sh\necho uv $*\n")
    (tools / "uv").chmod(0o755)
    image.build(project, path=f"{tools}:/usr/bin:/bin")
    assert [*(image.app / "data").iterdir()] == []


@pytest.mark.parametrize("argument", ["GENERATION_VERSION", "MY_BENCH_GENERATION_VERSION"])
def test_image_starts_as_those_of_before(argument: str, project: Path) -> None:
    """The image waits without arguments, and is stamped by either build argument."""
    steps = (project / "Dockerfile").read_text().partition("AS build")[2]
    assert 'ENTRYPOINT ["my-bench-runner"]\nCMD ["keepalive"]\n' in steps
    values = {argument: "abc"}
    for name, value in re.findall(r"ARG (\w+VERSION)=(.*)", steps):
        values.setdefault(name, re.sub(r"\$\{(\w+)\}", lambda match: values[match[1]], value))
    assert "MY_BENCH_GENERATION_VERSION=${MY_BENCH_GENERATION_VERSION}\n" in steps
    assert values["MY_BENCH_GENERATION_VERSION"] == "abc"


def test_image_without_a_wheel_says_what_to_do(
    copy_template: CopyTemplate, run: Run, tmp_path: Path
) -> None:
    """An image without the runtime's wheel says what to do."""
    project = copy_template(tmp_path / "my-bench")
    image = Image(tmp_path / "image", run)
    assert "build the image with 'make docker-build'" in image.build(project, code=1)
