"""Whatever is answered, the copy is clean, and it works with the oldest and newest it allows."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tomllib
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

if TYPE_CHECKING:
    from tests.conftest import Run
    from tests.template.conftest import CopyTemplate

ROOT = Path(__file__).parents[2]
QUESTIONS = yaml.safe_load((ROOT / "copier.yml").read_text())
AGENTS = list(QUESTIONS["sample_agent"]["choices"].values())
SOURCES = list(QUESTIONS["runtime_source"]["choices"].values())
CLASSIFIERS = tomllib.loads((ROOT / "runtime/pyproject.toml").read_text())["project"]["classifiers"]
PYTHONS = re.findall(r"Python :: (3\.\d+)", "\n".join(CLASSIFIERS))

#: All that a description may hold, and that a format in which it is written may trip over.
DESCRIPTION = (
    """It's a "test": 'x' \\n C:\\new {{ benchmark_name }} {% if x %} {# y #} """
    "${HOME} `z` %s 🎯 # <b>"
)
OTHERS: dict[str, object] = {
    "benchmark_name": "a-benchmark-with-the-longest-of-names-ok",
    "description": DESCRIPTION,
    "service_url": "https://my-bench.example.com/a/%7Eb",
}
#: Each choice and both values of each flag, at least once.
SAMPLE = [
    ("baseline", "clone", True, False),
    ("tools", "clone", True, False),
    ("command", "clone", False, True),
    ("chat", "git", False, True),
    ("model-library", "index", True, True),
    ("blank", "git", False, False),
]


def check_statically(project: Path, run: Run) -> None:
    """Run every check that needs no installed project."""
    run("ruff", "format", "--check", "--no-cache", ".", cwd=project)
    run("ruff", "check", "--no-cache", ".", cwd=project)
    run("make", "--dry-run", "install", "test", "lint", "typecheck", "run", "help", cwd=project)
    assert tomllib.loads((project / "pyproject.toml").read_text())["project"]["name"]
    if (workflow := project / ".github/workflows/ci.yml").exists():
        schema = ("check-jsonschema", "--builtin-schema", "vendor.github-workflows")
        run(*schema, workflow, cwd=project)
        run("zizmor", "--offline", "--pedantic", "--quiet", workflow, cwd=project)
    if (project / "Dockerfile").exists():
        run("hadolint", "Dockerfile", cwd=project)


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("agent", "source", "docker", "ci"),
    [
        pytest.param(*answers, marks=[] if answers in SAMPLE else [pytest.mark.full])
        for answers in product(AGENTS, SOURCES, [True, False], [True, False])
    ],
)
def test_a_copy_is_clean_whatever_is_answered(
    agent: str,
    source: str,
    docker: bool,
    ci: bool,
    copy_template: CopyTemplate,
    run: Run,
    tmp_path: Path,
) -> None:
    """A copy is clean whatever is answered."""
    answers = {"sample_agent": agent, "runtime_source": source, "docker": docker, "ci": ci}
    project = copy_template(tmp_path / "my-bench", **answers, **OTHERS)
    assert (project / "Dockerfile").exists() is docker
    assert (project / ".github").exists() is ci
    kept = yaml.safe_load((project / ".copier-answers.yml").read_text())
    assert {name: kept[name] for name in {**answers, **OTHERS}} == {**answers, **OTHERS}
    assert f"\n{DESCRIPTION}\n" in (project / "README.md").read_text()
    check_statically(project, run)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("agent", ["baseline", "blank"])
def test_artifact_copy_is_clean(
    agent: str, copy_template: CopyTemplate, run: Run, tmp_path: Path
) -> None:
    """A copy whose answers are files is clean, and has the input files of each task."""
    answers = {"sample_agent": agent, "payload": "artifact"}
    project = copy_template(tmp_path / "my-bench", **answers, **OTHERS)
    code = (project / "runner/benchmark.py").read_text()
    assert 'PAYLOAD_TYPE = "artifact"' in code
    assert "fetch_inputs" in code
    tasks = json.loads((project / "data/validation.json").read_text())["tests"]
    folders = {path.name for path in (project / "data/inputs").iterdir()}
    assert folders == {task["id"] for task in tasks}
    check_statically(project, run)


@pytest.mark.parametrize("agent", ["baseline", "chat"])
def test_text_is_the_default(agent: str, copy_template: CopyTemplate, tmp_path: Path) -> None:
    """Without an answer a copy's answers are texts, and there is no trace of files."""
    project = copy_template(tmp_path / "my-bench", sample_agent=agent)
    assert 'PAYLOAD_TYPE = "text"' in (project / "runner/benchmark.py").read_text()
    assert not (project / "data/inputs").exists()
    for path in project.rglob("*.*"):
        assert not path.is_file() or "artifact" not in path.read_text(), path


def test_sample_covers_every_choice() -> None:
    """The sample has each choice and both values of each flag."""
    assert [set(values) for values in zip(*SAMPLE, strict=True)] == [
        set(AGENTS),
        set(SOURCES),
        {True, False},
        {True, False},
    ]
    asked = {name for name in QUESTIONS if not name.startswith("_")}
    places = {"clone_path", "runtime_git_url"}
    answered = {"sample_agent", "runtime_source", "docker", "ci", "payload", "orchestrator"}
    answered |= {*OTHERS, *places}
    assert {name for name in asked if QUESTIONS[name].get("when") is not False} == answered


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ({"sample_agent": "clever"}, "Invalid choice"),
        ({"sample_agent": ""}, "Invalid choice"),
        ({"runtime_source": "the moon"}, "Invalid choice"),
        ({"sample_agent": "chat", "payload": "artifact"}, "with the baseline or the blank agent"),
        ({"payload": "song"}, "Invalid choice"),
        ({"orchestrator": "yes"}, "Invalid choice"),
        ({"docker": "flase"}, "Answer yes or no"),
        ({"ci": "flase"}, "Answer yes or no"),
        ({"clone_path": "a/relative/path"}, "Give an absolute path"),
        ({"clone_path": ""}, "Give an absolute path"),
        ({"clone_path": "/a\\b"}, "may not hold backslashes or control characters"),
        ({"clone_path": "/a\nb"}, "may not hold backslashes or control characters"),
        ({"runtime_source": "git", "runtime_git_url": "gh:me/it"}, "Give a git URL"),
        ({"runtime_source": "git", "runtime_git_url": 'https://e.com/"'}, "Give a git URL"),
        ({"runtime_source": "git", "runtime_git_url": "https://e.com/$x"}, "Give a git URL"),
    ],
    ids=str,
)
def test_unusable_answer_is_refused(
    answers: dict[str, object], reason: str, copy_template: CopyTemplate, tmp_path: Path
) -> None:
    """An answer of which no copy can be made is refused with the reason."""
    with pytest.raises(ValueError, match=reason):
        copy_template(tmp_path / "my-bench", **answers)
    assert not (tmp_path / "my-bench").exists()


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("answer", "wanted"),
    [("yes", True), ("True", True), ("no", False), ("off", False), ("0", False)],
)
def test_a_flag_may_be_answered_in_words(
    answer: str, wanted: bool, copy_template: CopyTemplate, tmp_path: Path
) -> None:
    """A flag may be answered in words."""
    project = copy_template(tmp_path / "my-bench", docker=answer, ci=answer)
    assert (project / "Dockerfile").exists() is wanted
    assert (project / ".github").exists() is wanted


def interpreter(version: str) -> str:
    """A Python of that version; it may be installed where PATH does not lead."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [f"python{version}", *root.glob(f"{version}.*/bin/python{version}")]
    for candidate in candidates:
        try:
            subprocess.run([candidate, "-c", ""], capture_output=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return str(candidate)
    pytest.skip(f"Python {version} is not installed on this machine")


def lowest(requirement: str) -> tuple[str, str]:
    """The name and the version that a requirement starts at."""
    found = re.fullmatch(r"([a-z-]+)(?:\[[a-z]+\])?>=([\d.]+)(?:,<.*)?", requirement)
    assert found is not None, requirement
    return found[1], found[2]


@pytest.mark.parametrize(
    ("agent", "python", "resolution"),
    [
        pytest.param(
            agent, python, resolution,
            marks=[]
            if (agent, python, resolution) == ("baseline", PYTHONS[0], "lowest-direct")
            else [pytest.mark.full],
        )
        for agent, python, resolution in product(
            AGENTS, (PYTHONS[0], PYTHONS[-1]), ("lowest-direct", "highest")
        )
    ],
)  # fmt: skip
def test_copy_passes_on_oldest_and_newest(
    agent: str,
    python: str,
    resolution: str,
    copy_template: CopyTemplate,
    run: Run,
    tmp_path: Path,
) -> None:
    """The tests of a copy pass with the oldest and newest versions that it allows."""
    project = copy_template(tmp_path / "my-bench", sample_agent=agent, **OTHERS)
    run("uv", "venv", "--quiet", "--python", interpreter(python), ".venv", cwd=project)
    binaries = project / ".venv/bin"
    run(
        "uv", "pip", "install", "--quiet", "--python", binaries / "python",
        "--resolution", resolution, "--editable", ".", "--group", "dev",
        cwd=project,
    )  # fmt: skip
    installed = run("uv", "pip", "freeze", "--python", binaries / "python", cwd=project)
    if resolution == "lowest-direct":
        metadata = tomllib.loads((project / "pyproject.toml").read_text())
        direct = [*metadata["project"]["dependencies"], *metadata["dependency-groups"]["dev"]]
        # The runtime is the clone's, and model-library wants a newer pydantic.
        others = ("vals-benchmark-runner", *(["pydantic"] if agent == "model-library" else []))
        for requirement in direct:
            if not requirement.startswith(others):
                name, version = lowest(requirement)
                assert re.search(rf"(?m)^{name}=={re.escape(version)}(\.0)*$", installed), installed
    printed = run(binaries / "python", "-VV", cwd=project)
    assert printed.startswith(f"Python {python}.")
    assert re.search(r"\d+ passed", run(binaries / "python", "-m", "pytest", cwd=project))
    if resolution == "highest":
        run(binaries / "ruff", "format", "--check", ".", cwd=project)
        run(binaries / "ruff", "check", ".", cwd=project)
        assert "0 errors" in run(binaries / "pyright", cwd=project)
    assert "run" in run(binaries / f"{OTHERS['benchmark_name']}-runner", "--help", cwd=project)
