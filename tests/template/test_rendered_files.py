"""What a copy holds, and that it is clean before anybody has touched it."""

from __future__ import annotations

import json
import re
import shutil
import stat
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

ALWAYS = {
    ".copier-answers.yml",
    ".env.example",
    ".gitignore",
    "AGENTS.md",
    "Makefile",
    "README.md",
    "data/validation.json",
    "pyproject.toml",
    "runner/__init__.py",
    "runner/benchmark.py",
    "runner/cli.py",
    "runner/grader.py",
    "runner/inspect_task.py",
    "tests/__init__.py",
    "tests/test_benchmark.py",
    "tests/test_grader.py",
    "tests/test_runner_contract.py",
}
DOCKER = {"Dockerfile", ".dockerignore"}
CI = {".github/workflows/ci.yml"}
ORCHESTRATOR = {"contract.yaml", "setup.sh"}
#: What a sample agent brings beside them.
DEPENDENCIES = {"chat": {"openai"}, "tools": {"openai"}, "model-library": {"model-library"}}
FILES = {
    "chat": {"tests/chat_server.py"},
    "command": {"runner/sample_agent.py"},
    "model-library": {"runner/tools.py", "tests/chat_server.py"},
    "tools": {
        "runner/endpoint.py",
        "runner/handbook.md",
        "runner/replies.py",
        "runner/tools.py",
        "tests/chat_server.py",
        "tests/scripted_model.py",
        "tests/test_endpoint.py",
        "tests/test_tools.py",
    },
}
#: Forty characters, the longest name allowed: no line may grow too long with it.
LONGEST_NAME = "a-benchmark-with-the-longest-of-names-ok"
#: What Windows keeps for devices, whatever the suffix.
RESERVED = re.compile(r"(?i)con|prn|aux|nul|com\d|lpt\d")


def files_of(project: Path) -> set[str]:
    return {path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file()}


def test_default_copy_has_these_files(project: Path) -> None:
    """A copy with the defaults has exactly these files."""
    assert files_of(project) == ALWAYS | DOCKER | CI


@pytest.mark.parametrize("place", ["README.md", ".env.example"])
def test_env_file_is_private(project: Path, tmp_path: Path, place: str) -> None:
    """The command that makes a .env file lets nobody else read it."""
    (command,) = set(re.findall(r"`([^`]* \.env\.example \.env)`", (project / place).read_text()))
    example = shutil.copy(project / ".env.example", tmp_path)
    subprocess.run(["sh", "-c", f"umask 022; {command}"], cwd=tmp_path, check=True)
    made = tmp_path / ".env"
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert made.read_bytes() == Path(example).read_bytes()


def test_docker_and_ci_can_be_left_out(copy_template: CopyTemplate, tmp_path: Path) -> None:
    """Without Docker and CI their files are left out."""
    project = copy_template(tmp_path / "my-bench", docker=False, ci=False)
    assert files_of(project) == ALWAYS
    assert not (project / ".github").exists()
    for page in ("Makefile", "README.md"):
        assert "docker" not in (project / page).read_text().lower()


def test_orchestrator_has_its_files(copy_template: CopyTemplate, tmp_path: Path) -> None:
    """The files of an orchestrator, and all that is said of them, are there when asked for."""
    project = copy_template(tmp_path / "my-bench", orchestrator="contract")
    assert files_of(project) == ALWAYS | DOCKER | CI | ORCHESTRATOR
    pages = {name: (project / name).read_text() for name in ("README.md", "AGENTS.md")}
    assert all("contract.yaml" in text for text in pages.values())
    without = copy_template(tmp_path / "other", benchmark_name="my-bench")
    for name in files_of(without):
        assert "contract.yaml" not in (without / name).read_text()


@pytest.mark.sampled(2)
@pytest.mark.parametrize("agent", AGENTS)
def test_agent_brings_its_own_dependency(
    agent: str, copy_template: CopyTemplate, tmp_path: Path
) -> None:
    """Each sample agent brings its own dependency and files, and no other."""
    project = copy_template(tmp_path / "my-bench", sample_agent=agent)
    metadata = tomllib.loads((project / "pyproject.toml").read_text())
    names = {re.split(r"[<>=]", spec)[0] for spec in metadata["project"]["dependencies"]}
    assert names == {"vals-benchmark-runner", "pydantic"} | DEPENDENCIES.get(agent, set())
    assert files_of(project) - ALWAYS - DOCKER - CI == FILES.get(agent, set())


@pytest.mark.parametrize("name", sorted({name for names in FILES.values() for name in names}))
def test_files_of_an_agent_are_the_authors(name: str) -> None:
    """A file that a sample agent brings is the author's: an update never touches it."""
    assert f"/{name}" in QUESTIONS["_skip_if_exists"]
    on_update = "{% if _copier_operation == 'update' %}/" + name + "{% endif %}"
    assert on_update in QUESTIONS["_exclude"]


def test_only_the_answers_are_kept(
    copy_template: CopyTemplate, template_repo: Path, run: Run, tmp_path: Path
) -> None:
    """The answers file has the answers and nothing else."""
    given = {
        "benchmark_name": "a-name",
        "description": "Measures it.",
        "service_url": "https://example.com",
        "sample_agent": "blank",
        "payload": "artifact",
        "orchestrator": "contract",
        "docker": False,
        "ci": False,
        "runtime_source": "index",
    }
    project = copy_template(tmp_path / "my-bench", **given)
    assert yaml.safe_load((project / ".copier-answers.yml").read_text()) == given | {
        "_commit": run("git", "describe", "--tags", "--always", cwd=template_repo).strip(),
        "_src_path": str(template_repo),
    }


@pytest.mark.sampled(2)
@pytest.mark.parametrize("agent", AGENTS)
def test_template_does_not_leak(
    agent: str, copy_template: CopyTemplate, template_repo: Path, tmp_path: Path
) -> None:
    """Nothing of the template's own is left in a copy."""
    project = copy_template(tmp_path / "folder-name", sample_agent=agent, benchmark_name="bench-x")
    for name in files_of(project):
        text = (project / name).read_text()
        # A workflow's own expressions are the only braces that may be left.
        text = re.sub(r"\$\{\{ [\w.-]+ \}\}", "", text)
        assert not re.search(r"\{\{|\{%|\{#|%\}|#\}", text), name
        assert "_samples" not in text, name
        assert "folder-name" not in text, name
        assert str(tmp_path) not in text, name
        if name not in {".copier-answers.yml", "Makefile", "pyproject.toml"}:
            assert str(template_repo) not in text, name
        assert text.endswith("\n"), name
        assert not text.endswith("\n\n"), name


@pytest.mark.sampled(2)
@pytest.mark.parametrize("agent", AGENTS)
def test_file_names_are_safe_on_windows(
    agent: str, copy_template: CopyTemplate, template_repo: Path, tmp_path: Path
) -> None:
    """File names are safe on Windows."""
    project = copy_template(tmp_path / "my-bench", sample_agent=agent)
    for folder, longest in ((project, 60), (template_repo / "template", 100)):
        names = [path.relative_to(folder) for path in folder.rglob("*")]
        assert len({str(name).lower() for name in names}) == len(names)
        for name in names:
            assert len(str(name)) <= longest, name
            assert not re.search(r'[<>:"\\|?*\x00-\x1f]', name.name), name
            assert not name.name.endswith((".", " ")), name
            assert not RESERVED.fullmatch(name.name.partition(".")[0]), name


@pytest.mark.parametrize("source", ["git", "index"])
def test_only_a_clone_source_names_the_clone(
    source: str, copy_template: CopyTemplate, template_repo: Path, tmp_path: Path
) -> None:
    """Only a runtime from the clone names the clone."""
    project = copy_template(tmp_path / "my-bench", runtime_source=source)
    naming = {
        name for name in files_of(project) if str(template_repo) in (project / name).read_text()
    }
    # Where the template came from, and so where an update comes from.
    assert naming == {".copier-answers.yml"}


def test_framework_files_say_so_at_the_top(project: Path) -> None:
    """Files of the framework say so at the top."""
    for name in ("Makefile", "tests/test_runner_contract.py", *DOCKER, *CI, ".gitignore"):
        assert (project / name).read_text().startswith("# Owned by the framework"), name
    assert (project / "pyproject.toml").read_text().startswith("# Shared: ")


def test_dataset_is_varied_with_references(project: Path) -> None:
    """The dataset is varied and has reference answers."""
    dataset = json.loads((project / "data" / "validation.json").read_text())
    tasks = dataset["tests"]
    assert dataset["dataset_name"] == "validation"
    assert len(tasks) >= 12
    assert len({task["id"] for task in tasks}) == len(tasks)
    assert len({task["category"] for task in tasks}) >= 5
    assert all(task["question"] and task["answer"] for task in tasks)
    assert any("timeout" in task for task in tasks)


def test_the_python_versions_agree(project: Path) -> None:
    """The Python versions of the files agree."""
    metadata = tomllib.loads((project / "pyproject.toml").read_text())
    runtime = tomllib.loads((ROOT / "runtime" / "pyproject.toml").read_text())
    workflow = yaml.safe_load((project / ".github" / "workflows" / "ci.yml").read_text())
    tested = workflow["jobs"]["check"]["strategy"]["matrix"]["python-version"]
    assert metadata["project"]["requires-python"] == runtime["project"]["requires-python"]
    assert metadata["project"]["requires-python"] == f">={tested[0]}"
    supported = re.findall(r"Python :: (3\.\d+)", "\n".join(runtime["project"]["classifiers"]))
    assert tested == supported
    newest = re.search(r"ARG PYTHON_VERSION=(\S+)", (project / "Dockerfile").read_text())
    assert newest is not None
    assert newest[1] == tested[-1]


def test_actions_are_pinned_to_commits(project: Path) -> None:
    """Each action is pinned to a commit with its version beside it."""
    text = (project / ".github" / "workflows" / "ci.yml").read_text()
    used = re.findall(r"uses: (.+)", text)
    assert used
    for action in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


@pytest.mark.sampled
@pytest.mark.parametrize(
    ("agent", "name"), [*((agent, "my-bench") for agent in AGENTS), ("baseline", LONGEST_NAME)]
)
def test_a_copy_is_formatted_and_lints(
    agent: str, name: str, copy_template: CopyTemplate, run: Run, tmp_path: Path
) -> None:
    """A copy is formatted and passes the linter."""
    project = copy_template(tmp_path / "copy", sample_agent=agent, benchmark_name=name)
    run("ruff", "format", "--check", "--no-cache", ".", cwd=project)
    run("ruff", "check", "--no-cache", ".", cwd=project)


@pytest.mark.parametrize("name", ["x", LONGEST_NAME])
@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.full
def test_any_length_of_name_lints(
    agent: str, name: str, copy_template: CopyTemplate, run: Run, tmp_path: Path
) -> None:
    """A copy is formatted and passes the linter with any length of name."""
    project = copy_template(tmp_path / "copy", sample_agent=agent, benchmark_name=name)
    run("ruff", "format", "--check", "--no-cache", ".", cwd=project)
    run("ruff", "check", "--no-cache", ".", cwd=project)


@pytest.mark.parametrize(("agent", "source"), list(product(AGENTS, SOURCES)))
@pytest.mark.full
def test_each_choice_renders(
    agent: str, source: str, copy_template: CopyTemplate, run: Run, tmp_path: Path
) -> None:
    """Each combination of agent and source renders."""
    project = copy_template(tmp_path / "copy", sample_agent=agent, runtime_source=source)
    assert files_of(project) >= ALWAYS | DOCKER | CI
    tomllib.loads((project / "pyproject.toml").read_text())
    run("make", "--dry-run", "install", "test", "lint", "typecheck", "run", cwd=project)


def test_the_workflow_passes_its_linters(project: Path, run: Run) -> None:
    """The workflow passes its linters."""
    run("check-jsonschema", "--builtin-schema", "vendor.github-workflows",
        ".github/workflows/ci.yml", cwd=project)  # fmt: skip
    run("zizmor", "--offline", "--pedantic", ".github/workflows", cwd=project)


@pytest.mark.parametrize("source", SOURCES)
def test_the_dockerfile_passes_its_linter(
    source: str, copy_template: CopyTemplate, run: Run, tmp_path: Path
) -> None:
    """The Dockerfile passes its linter."""
    project = copy_template(tmp_path / "my-bench", runtime_source=source)
    run("hadolint", "Dockerfile", cwd=project)


def test_make_help_lists_every_target(
    copy_template: CopyTemplate, run: Run, tmp_path: Path
) -> None:
    """The help of make lists each target, the author's own included."""
    project = copy_template(tmp_path / "my-bench")
    (project / "project.mk").write_text("figures: ## Draw the figures\n\techo drawn\n")
    listed = {line.split()[0] for line in run("make", "help", cwd=project).splitlines()}
    targets = {"install", "test", "lint", "typecheck", "run", "docker-build", "update", "help"}
    assert targets | {"figures"} <= listed
    assert "drawn" in run("make", "figures", cwd=project)


def test_make_says_what_is_missing(copy_template: CopyTemplate, run: Run, tmp_path: Path) -> None:
    """Before the install make says what is missing."""
    project = copy_template(tmp_path / "my-bench")
    assert "create it with: make install" in run("make", "test", cwd=project, code=2)


@pytest.mark.parametrize("marker", ["<<<<<<< before updating", ">>>>>>> after updating"])
def test_make_finds_conflict_markers(
    marker: str, copy_template: CopyTemplate, run: Run, tmp_path: Path
) -> None:
    """The target conflicts finds the conflict markers of an update."""
    project = copy_template(tmp_path / "my-bench")
    run("make", "conflicts", cwd=project)
    (project / "README.md").write_text(f"# Title\n{marker}\n")
    assert f"README.md:2:{marker}" in run("make", "conflicts", cwd=project, code=2)
