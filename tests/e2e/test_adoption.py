"""The adoption guide's commands and edits, as the author of an old runner does them."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import socket
import subprocess
import threading
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from benchmark_runner.local.app import LocalService
from benchmark_runner.local.datasets import LocalDatasets
from benchmark_runner.local.server import Server
from tests.template.copies import clone_with_release

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import JsonValue

    from tests.conftest import Run

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "runtime" / "docs" / "adopt.md"
#: A repository as the earlier scaffolder made it, with what its author has added since.
OLD_RUNNER = Path(__file__).with_name("old_runner")
BLOCKS = re.findall(r"```(sh|diff)\n(.*?)```", GUIDE.read_text(), re.DOTALL)
(_, COPY), (_, MINE), (_, SEARCH), (_, TESTS), (_, CHECK), (_, GO_ON), (_, UPDATE) = BLOCKS
#: What the guide's first table says of files.
FILES = {
    what: set(re.findall(r"`([^`]+)`", files))
    for what, files in re.findall(r"^\| ([^|]+?) \| ([^|]+) \|$", GUIDE.read_text(), re.MULTILINE)
}
REPLACED = FILES["replaced; you put back what you had added"]
NEW = FILES["new"]
CHANGED = FILES["changed by you, in a line or two"] | FILES["brought up to date by `make install`"]


class Adopted:
    """An old runner after the guide's steps 1 to 4, and what they printed."""

    def __init__(self, root: Path, run: Run) -> None:
        self.root = root
        self._run = run
        self.searched = self.checked = ""

    def shell(self, commands: str, code: int = 0, **environment: str) -> str:
        """Type a block of commands; the first that fails ends it."""
        return self._run("bash", "-e", "-c", commands, cwd=self.root, code=code, env=environment)

    def edit(self, diff: str) -> None:
        """Make the edits that a diff shows."""
        subprocess.run(["git", "apply", "-"], cwd=self.root, input=diff, text=True, check=True)

    def files(self) -> set[str]:
        return set(self.shell("git ls-files").splitlines())


@pytest.fixture(scope="module")
def template(template_repo: Path, run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of this repository with a release."""
    clone = tmp_path_factory.mktemp("clone") / "create-benchmark-runner"
    return clone_with_release(template_repo, clone, run)


@pytest.fixture(scope="module")
def adopted(template: Path, run: Run, tmp_path_factory: pytest.TempPathFactory) -> Adopted:
    """What the guide makes of the old runner; tests add runs to it, and no more."""
    root = tmp_path_factory.mktemp("adopted") / "roman-bench-runner"
    ignored = shutil.ignore_patterns("__pycache__", ".*_cache")
    adopted = Adopted(shutil.copytree(OLD_RUNNER, root, ignore=ignored), run)
    adopted.shell("git init --quiet; git add --all; git commit --quiet --message Old")
    adopted.shell(from_clone(COPY, template))
    adopted.edit(MINE)
    adopted.searched = adopted.shell(SEARCH)
    adopted.edit(TESTS)
    adopted.checked = adopted.shell(CHECK)
    write_old_run(root / "results" / "OLD")
    return adopted


def from_clone(copy: str, clone: Path) -> str:
    """The guide's copy command, with nothing to fetch."""
    source, program = "gh:vals-ai/create-benchmark-runner", "uvx copier"
    assert copy.count(source) == copy.count(program) == 1
    return copy.replace(source, shlex.quote(str(clone))).replace(program, "copier")


def write_old_run(folder: Path) -> None:
    """Leave a run as the earlier framework did when it was stopped half way."""
    config = {
        "run_id": "OLD",
        "model": "baseline",
        "tasks": ["read-clock", "read-legion", "write-nine", "write-year"],
        "dataset_file": "data/dataset.json",
        "dataset_name": "roman-v2",
        "task_source": "file",
        "payload_schema": "roman-bench.text.v2",
        "payload_type": "text",
        "runner_version": "0.1.0",
        "generation_version": "dev",
    }
    write(folder / "run_config.json", config)
    ended = {"task_id": "read-clock", "question": "Which number is XIV?", "model": "baseline"}
    rest = {"total_turns": 0, "error": None, "log_dir": None, "generation_version": "dev"}
    generation = {**ended, "status": "success", "data": "kept", **rest}
    write(folder / "read-clock" / "generation.json", generation)
    result = {"pass_percentage": 0.5, "eval_version": None}
    grade = {"task_id": "read-clock", "status": "evaluated", "result": result, "error": None}
    write(folder / "read-clock" / "eval.json", grade)


def write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2))


def read(*parts: Path | str) -> dict[str, Any]:
    return json.loads(Path(*parts).read_text())


def grade(task: dict[str, JsonValue], response: str) -> JsonValue:
    return {"pass_percentage": float(response == task["answer"])}


@pytest.fixture(scope="module")
def service_url() -> Iterator[str]:
    """The old runner's benchmark service on a loopback port."""
    datasets = LocalDatasets(OLD_RUNNER / "data", evaluator_fields=frozenset({"answer"}))
    ready = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        service = LocalService("roman-bench", datasets, grade)
        server = Server(service, listener, lambda _url: ready.set())
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        assert ready.wait(10), "the service did not start"
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join(10)


def test_authors_files_are_unchanged(adopted: Adopted) -> None:
    """The author's files are as they were, and only the named ones changed."""
    before = set(adopted.shell("git ls-tree -r --name-only HEAD~1").splitlines())
    edited = REPLACED | CHANGED | {"tests/test_cli.py"}
    assert "push_snapshot.py" in before - edited
    for name in before - edited:
        assert (adopted.root / name).read_bytes() == (OLD_RUNNER / name).read_bytes(), name
    assert adopted.files() == before | NEW | {"project.mk"}
    assert adopted.shell("git status --short") == ""


def test_command_line_keeps_its_defaults(adopted: Adopted) -> None:
    """The command line keeps its defaults."""
    added = '# What tests/test_runner_contract.py loads.\nDATASET_FILE = "data/dataset.json"\n\n'
    before = (OLD_RUNNER / "runner" / "cli.py").read_text()
    assert (adopted.root / "runner" / "cli.py").read_text().replace(added, "") == before
    shown = adopted.shell("uv run roman-bench-runner run --help")
    assert "default: 4]" in shown
    assert "default: 600]" in shown


def test_metadata_keeps_the_authors_additions(adopted: Adopted) -> None:
    """The metadata keeps the author's additions and drops the old framework."""
    before = tomllib.loads((OLD_RUNNER / "pyproject.toml").read_text())
    now = tomllib.loads((adopted.root / "pyproject.toml").read_text())
    for field in ("name", "version", "description", "scripts"):
        assert now["project"][field] == before["project"][field]
    framework, *own = before["project"]["dependencies"]
    assert set(own) < set(now["project"]["dependencies"])
    assert now["project"]["dependencies"][0].startswith("vals-benchmark-runner>=")
    assert "pytest-asyncio>=0.24" in now["dependency-groups"]["dev"]
    assert (
        before["tool"]["pytest"]["ini_options"].items()
        <= now["tool"]["pytest"]["ini_options"].items()
    )
    assert now["tool"]["ruff"] == before["tool"]["ruff"]
    assert now["tool"]["numerals"] == before["tool"]["numerals"]
    name, _, url = framework.partition(" @ git+")
    for file in ("pyproject.toml", "uv.lock"):
        text = (adopted.root / file).read_text()
        assert f'"{name}' not in text, file
        assert url not in text, file


def test_other_files_keep_the_additions(adopted: Adopted) -> None:
    """Other files keep what the author had added."""
    assert "data/*.bak" in (adopted.root / ".gitignore").read_text()
    assert "--no-install-recommends bc" in (adopted.root / "Dockerfile").read_text()
    targets = adopted.shell("make help")
    for target in ("install", "docker-build", "push-snapshot", "dataset"):
        assert re.search(rf"^ *{target} ", targets, re.MULTILINE), target
    assert "python push_snapshot.py" in adopted.shell("make --dry-run push-snapshot")


def test_search_finds_the_old_imports(adopted: Adopted) -> None:
    """The search finds what is left of the earlier framework."""
    assert adopted.searched == "tests/test_cli.py:3:from click.testing import CliRunner\n"


def test_own_and_contract_tests_pass(adopted: Adopted) -> None:
    """The author's own tests and those of the contract pass."""
    for name in ("test_benchmark", "test_cli", "test_runner_contract"):
        assert re.search(rf"^tests/{name}\.py \.+ ", adopted.checked, re.MULTILINE), name
    assert re.search(r"= \d+ passed in ", adopted.checked)
    assert "All checks passed!" in adopted.checked
    assert "0 errors, 0 warnings" in adopted.checked


def test_new_and_old_runs_work(adopted: Adopted, service_url: str) -> None:
    """A new run ends in a score, and a run of before resumes."""
    start, plan, resume = GO_ON.splitlines()
    results = adopted.root / "results"
    adopted.shell(start, SERVICE_URL=service_url)
    score = read(results, "adopted", "final_score.json")
    assert (score["tasks_evaluated"], score["final_score"]) == (["write-year", "read-clock"], 1.0)

    planned = adopted.shell(plan, SERVICE_URL=service_url)
    assert "1 evaluated: read-clock" in planned
    assert "3 not generated yet: " in planned
    adopted.shell(resume, SERVICE_URL=service_url)
    assert read(results, "OLD", "read-clock", "generation.json")["data"] == "kept"
    assert read(results, "OLD", "write-nine", "generation.json")["data"] == "IX"
    # Half a point of before, two right answers, and one that ran out of turns.
    score = read(results, "OLD", "final_score.json")
    assert (score["complete"], score["final_score"]) == (True, 2.5 / 4)


def test_old_run_refuses_other_settings(adopted: Adopted) -> None:
    """A run of before is not mixed with other settings."""
    go_on = "uv run roman-bench-runner run --run-id OLD --skip-eval"
    refused = adopted.shell(f"{go_on} --temperature 0.5", code=2)
    assert "temperature was not set, now 0.5" in " ".join(refused.split())
    refused = adopted.shell(f"{go_on} --model openai/gpt-4.1-mini-2025-04-14", code=2)
    assert "model was 'baseline'" in " ".join(refused.split())


def test_wheel_finds_dataset_and_prompt(adopted: Adopted, run: Run, tmp_path: Path) -> None:
    """A wheel finds the dataset and the prompt as in the image."""
    run("uv", "build", "--quiet", "--wheel", "--out-dir", tmp_path, ".", cwd=adopted.root)
    (wheel,) = tmp_path.glob("*.whl")
    packages = tmp_path / "site-packages"
    run("uv", "pip", "install", "--quiet", "--no-deps", "--target", packages, wheel, cwd=tmp_path)
    run(
        adopted.root / ".venv/bin/python", "-c", "from runner.cli import cli; cli()",
        "run", "--model", "baseline", "--run-id", "r", "--skip-eval", "read-clock",
        cwd=tmp_path, env={"PYTHONPATH": str(packages)},
    )  # fmt: skip
    config = read(tmp_path, "results", "r", "run_config.json")
    assert config["dataset_file"] == str(packages / "runner" / "data" / "dataset.json")
    prompt = tmp_path / "results" / "r" / "read-clock" / "agent_logs" / "prompt.txt"
    assert prompt.read_text().startswith("Answer with the number only")


def test_templates_grader_works_locally(adopted: Adopted, run: Run, tmp_path: Path) -> None:
    """With the template's grader the runner evaluates on this machine."""
    assert 'give `make_cli()` a `grader="runner.grader:grade"`' in GUIDE.read_text()
    project = tmp_path / "roman-bench-runner"
    shutil.copytree(adopted.root, project, ignore=shutil.ignore_patterns(".venv", "results"))
    grader = ROOT / "template" / "runner" / "{% if payload == 'text' %}grader.py{% endif %}"
    shutil.copy(grader, project / "runner" / "grader.py")
    cli = project / "runner" / "cli.py"
    options = "    default_parallelism=4,\n"
    assert options in cli.read_text()
    argument = '    grader="runner.grader:grade",\n'
    cli.write_text(cli.read_text().replace(options, options + argument))
    run(
        adopted.root / ".venv/bin/python", "-m", "runner.cli",
        "run", "--model", "baseline", "--run-id", "r", "--service-url", "local",
        cwd=project,
    )  # fmt: skip
    score = read(project, "results", "r", "final_score.json")
    assert (score["local"], score["final_score"]) == (True, 3 / 4)


@pytest.mark.full
def test_next_template_version_merges(
    adopted: Adopted, template: Path, run: Run, tmp_path: Path
) -> None:
    """The next version of the template merges."""
    root = tmp_path / "roman-bench-runner"
    ignored = shutil.ignore_patterns(".venv", "results")
    author = Adopted(shutil.copytree(adopted.root, root, ignore=ignored), run)
    before = author.files()
    release(template, run)
    updated = author.shell(UPDATE)
    assert re.search(r"^\d+ passed in ", updated, re.MULTILINE)
    assert "-m pytest --quiet" in (root / "Makefile").read_text()
    metadata = (root / "pyproject.toml").read_text()
    assert '"vals-benchmark-runner>=0.2.0,<0.3",' in metadata
    assert '"pytest>=8.4",' in metadata
    assert '"roman>=4.2",' in metadata
    assert "data/*.bak" in (root / ".gitignore").read_text()
    changed = {line[3:] for line in author.shell("git status --short").splitlines()}
    assert changed == {
        ".copier-answers.yml",
        ".gitignore",
        "AGENTS.md",  # its links name the version
        "Makefile",
        "pyproject.toml",
        "runner/inspect_task.py",
        "tests/test_runner_contract.py",
        "uv.lock",
    }
    assert author.files() == before
    author.shell(f"{shlex.quote(str(root / '.venv/bin/ruff'))} check .")


def release(template: Path, run: Run) -> None:
    """Release a version in which framework files and starter files have changed."""
    replace(template / "template/.gitignore.jinja", "\n.venv/\n", "\n.venv/\n.cache/\n")
    replace(template / "template/Makefile.jinja", "-m pytest\n", "-m pytest --quiet\n")
    replace(template / "template/pyproject.toml.jinja", '"pytest>=8.3"', '"pytest>=8.4"')
    replace(template / "runtime/pyproject.toml", 'version = "0.1.0"', 'version = "0.2.0"')
    for path in (template / "template").rglob("*.py*"):
        if "pyproject" not in path.name:
            path.write_text(f"{path.read_text()}# New.\n")
    run("git", "commit", "--quiet", "--all", "--message", "Newer", cwd=template)
    run("git", "tag", "v0.2.0", cwd=template)


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text, (path, old)
    path.write_text(text.replace(old, new, 1))


def test_links_of_the_guide_exist() -> None:
    """Each link of the guide leads to a file."""
    targets = re.findall(r"\]\(([^)]+)\)", GUIDE.read_text())
    assert targets
    for target in targets:
        assert (GUIDE.parent / target.partition("#")[0]).exists(), target
