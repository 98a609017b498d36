"""A copy is installed, checked and run for real, with the commands that its README names."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.pages import DOCS, blocks
from tests.template.copies import run_result

if TYPE_CHECKING:
    from tests.conftest import Run
    from tests.template.conftest import CopyTemplate

ROOT = Path(__file__).parents[2]
AGENTS = list(yaml.safe_load((ROOT / "copier.yml").read_text())["sample_agent"]["choices"].values())
#: In the order of cost: what runs by default is one of each.
SAMPLE = "baseline"


@pytest.fixture(scope="session")
def wheels(template_repo: Path, run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the runtime's wheel, as a package index would have it."""
    folder = tmp_path_factory.mktemp("wheels")
    run("uv", "build", "--quiet", "--wheel", "--out-dir", folder, "runtime", cwd=template_repo)
    return folder


@pytest.fixture(scope="session")
def installed(
    copy_template: CopyTemplate, run: Run, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A copy with the defaults and its .venv; tests write below its results/ only."""
    project = copy_template(tmp_path_factory.mktemp("installed") / "my-bench")
    run("uv", "sync", cwd=project)
    return project


@pytest.fixture
def path_without_uv(tmp_path: Path) -> str:
    """A PATH with the commands that `make install` needs, and without uv."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("awk", "echo", "git", "make", "rm", "sh", "test"):
        if (found := shutil.which(name)) is not None:
            (tools / name).symlink_to(found)
    return str(tools)


def use_every_command(project: Path, run: Run) -> None:
    """Run each command of a copy to a good end."""
    runner = project / ".venv/bin/my-bench-runner"
    results = ("--results-dir", "results")
    for run_id in ("a", "b"):
        run(runner, "run", "--limit", "2", "--run-id", run_id, *results, cwd=project)
    for command in (
        ("evaluate", "--run-id", "a", *results),
        ("score", "--run-id", "a", *results),
        ("runs", *results),
        ("status", "a", *results),
        ("show", "a", "sum-of-products", *results),
        ("export", "a", *results),
        ("compare", "a", "b", *results),
        ("report", "a", *results),
        ("doctor", "--offline"),
    ):
        run(runner, *command, cwd=project)
    assert (project / "results/a/report.html").is_file()
    with subprocess.Popen(
        [runner, "serve", "--port", "0"], cwd=project, stdout=subprocess.PIPE, text=True
    ) as serving:
        assert serving.stdout is not None
        assert serving.stdout.readline().startswith("Serving my-bench on http://127.0.0.1:")
        serving.send_signal(signal.SIGTERM)
        serving.communicate(timeout=60)
    assert serving.returncode == 128 + signal.SIGTERM


def test_make_install_prints_the_next_command(installed: Path, run: Run) -> None:
    """After make install the next command is printed."""
    printed = run("make", "install", cwd=installed)
    assert "Next: uv run my-bench-runner run --dataset-name validation" in printed


def test_fresh_copy_passes_its_own_checks(installed: Path, run: Run) -> None:
    """A fresh copy passes its own checks."""
    printed = run("make", "test", "lint", "typecheck", cwd=installed)
    assert re.search(r"\d+ passed", printed)
    assert "0 errors" in printed


# The pages' commands, in tests/e2e/test_readme.py, are the sample.
@pytest.mark.full
def test_every_command_works_after_install(installed: Path, run: Run) -> None:
    """Every command works after make install."""
    run("make", "install", cwd=installed)
    use_every_command(installed, run)


def test_first_run_has_a_partial_score(installed: Path, run: Run, tmp_path: Path) -> None:
    """The first run ends in a score between none and all."""
    run(
        "uv", "run", "my-bench-runner", "run", "--dataset-name", "validation",
        "--results-dir", tmp_path / "results",
        cwd=installed,
    )  # fmt: skip
    score = run_result(tmp_path / "results")
    assert score["complete"] is True
    assert score["local"] is True
    assert 0.2 < float(str(score["final_score"])) < 0.8


def test_noise_makes_answers_wrong(installed: Path, run: Run, tmp_path: Path) -> None:
    """The sample agent's option noise makes answers wrong, and none by default."""
    runner = installed / ".venv/bin/my-bench-runner"
    results = ("--results-dir", tmp_path)
    for run_id, noise in (("all", "1"), ("some", "0.9"), ("none", "0"), ("default", None)):
        option = () if noise is None else ("--option", f"noise={noise}")
        run(runner, "run", "--run-id", run_id, *option, *results, cwd=installed)
    scores = {
        path.parent.name: json.loads(path.read_text())["final_score"]
        for path in tmp_path.glob("*/final_score.json")
    }
    assert scores["all"] == 0
    assert scores["some"] < scores["none"] == scores["default"]
    refused = run(runner, "run", "--option", "noise=1.1", *results, cwd=installed, code=2)
    assert "noise" in refused


def test_the_run_works_from_any_folder(installed: Path, run: Run, tmp_path: Path) -> None:
    """A run works from any folder and reads no .env there."""
    (tmp_path / ".env").write_text("SERVICE_URL=http://127.0.0.1:1\n")
    run(
        installed / ".venv/bin/my-bench-runner", "run", "--dataset-name", "validation",
        "--limit", "2", "--results-dir", "results",
        cwd=tmp_path,
    )  # fmt: skip
    assert run_result(tmp_path / "results")["complete"] is True


def test_make_run_passes_its_arguments(installed: Path, run: Run, tmp_path: Path) -> None:
    """With make run the arguments are passed on."""
    arguments = f"--dataset-name validation --limit 1 --results-dir {tmp_path}/results"
    run("make", "run", f"ARGS={arguments}", cwd=installed)
    assert run_result(tmp_path / "results")["tasks_evaluated"] == ["sum-of-products"]


@pytest.mark.full
def test_documented_agent_works(
    copy_template: CopyTemplate, installed: Path, run: Run, tmp_path: Path
) -> None:
    """The agent of the documentation, and the test, pass the checks and run."""
    project = copy_template(tmp_path / "my-bench")
    example, *others = blocks((DOCS / "authoring.md").read_text(), "python")
    (project / "runner/benchmark.py").write_text(example)
    (test,) = [other for other in others if "def test_" in other]
    (project / "tests/test_cli.py").write_text(test)
    # It tests the sample agent, and goes with it.
    (project / "tests/test_benchmark.py").unlink()
    # The environment of the other copy, with the code of this one.
    tools, env = installed / ".venv/bin", {"PYTHONPATH": str(project)}
    run(tools / "ruff", "format", "--check", ".", cwd=project)
    run(tools / "ruff", "check", ".", cwd=project)
    python = ("--pythonpath", tools / "python")
    assert "0 errors" in run(tools / "pyright", *python, cwd=project)
    tested = run(tools / "python", "-m", "pytest", "tests/test_cli.py", cwd=project, env=env)
    assert "1 passed" in tested
    run_first_task = (
        tools / "my-bench-runner", "run", "--dataset-name", "validation", "sum-of-products"
    )  # fmt: skip
    run(*run_first_task, "--run-id", "r", "--option", "delay=0.2", cwd=project, env=env)
    generation = json.loads((project / "results/r/sum-of-products/generation.json").read_text())
    assert generation["answer"] == "baseline knows nothing of arithmetic."
    assert generation["duration"] >= 0.2
    assert "delay" in run(*run_first_task, "--option", "delay=long", cwd=project, code=2, env=env)
    (project / "question.txt").write_text("Why?\n")
    problem = ("--skip-eval", "--problem", "question.txt", "--run-id", "p", "t")
    run(tools / "my-bench-runner", "run", *problem, cwd=project, env=env)
    generation = json.loads((project / "results/p/t/generation.json").read_text())
    assert generation["answer"] == "baseline knows nothing of anything."


def test_artifact_copy_works_untouched(
    copy_template: CopyTemplate, installed: Path, run: Run, tmp_path: Path
) -> None:
    """A copy whose answers are files passes its checks, runs to a score and keeps the files."""
    project = copy_template(tmp_path / "my-bench", payload="artifact")
    tools, env = installed / ".venv/bin", {"PYTHONPATH": str(project)}
    assert "0 errors" in run(tools / "pyright", "--pythonpath", tools / "python", cwd=project)
    assert re.search(r"\d+ passed", run(tools / "python", "-m", "pytest", cwd=project))
    runner = tools / "my-bench-runner"
    run(runner, "run", "--dataset-name", "validation", "--run-id", "r", cwd=project, env=env)
    score = run_result(project / "results")
    assert score["complete"] is True
    assert 0.2 < float(str(score["final_score"])) < 0.9
    answer = project / "results/r/sales-by-product/submission/answer.csv"
    assert answer.read_text().startswith("product,amount\n")
    run(runner, "evaluate", "--run-id", "r", "--regrade", cwd=project, env=env)
    noise = ("--option", "noise=1", "--results-dir", tmp_path / "noise")
    run(runner, "run", *noise, cwd=project, env=env)
    assert run_result(tmp_path / "noise")["final_score"] == 0
    run("uv", "build", "--quiet", "--wheel", "--out-dir", tmp_path, ".", cwd=project)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert "runner/data/inputs/guest-list/guests.csv" in archive.namelist()


def test_contract_tests_load_the_named_dataset(
    copy_template: CopyTemplate, installed: Path, run: Run, tmp_path: Path
) -> None:
    """The contract tests load the dataset that the author names."""
    project = copy_template(tmp_path / "my-bench")
    (project / "data/validation.json").unlink()
    (project / "data/mine.jsonl").write_text('{"id": "t", "question": "Why?", "answer": "So"}\n')
    contract = (installed / ".venv/bin/python", "-m", "pytest", "tests/test_runner_contract.py")
    assert "data/validation.json: no such file" in run(*contract, cwd=project, code=1)
    defaults = project / "runner/cli.py"
    defaults.write_text(defaults.read_text().replace("data/validation.json", "data/mine.jsonl"))
    run(*contract, cwd=project)


def test_wheel_and_sdist_have_the_data(installed: Path, run: Run, tmp_path: Path) -> None:
    """A wheel and an sdist have the data."""
    run("uv", "build", "--quiet", "--out-dir", tmp_path, ".", cwd=installed)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert "runner/data/validation.json" in names
    assert not [name for name in names if name.startswith(("tests/", "data/"))]
    (sdist,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        kept = {name.partition("/")[2] for name in archive.getnames()}
    assert {"data/validation.json", "runner/benchmark.py", "tests/test_grader.py"} <= kept
    assert not [name for name in kept if name.startswith((".venv", "results", "vendor"))]


def test_installed_wheel_finds_its_data(
    installed: Path, wheels: Path, run: Run, tmp_path: Path
) -> None:
    """An installed wheel finds its data from any folder."""
    run("uv", "build", "--quiet", "--wheel", "--out-dir", tmp_path, ".", cwd=installed)
    (wheel,) = tmp_path.glob("*.whl")
    (runtime,) = wheels.glob("*.whl")
    run("uv", "venv", "--quiet", "venv", cwd=tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    run("uv", "pip", "install", "--quiet", "--python", python, runtime, wheel, cwd=tmp_path)
    run(
        python.with_name("my-bench-runner"), "run", "--dataset-name", "validation",
        "--limit", "2",
        cwd=tmp_path,
    )  # fmt: skip
    assert run_result(tmp_path / "results")["complete"] is True


@pytest.mark.parametrize(
    "agent",
    [pytest.param(agent, marks=pytest.mark.full) for agent in AGENTS if agent != SAMPLE],
)
def test_each_agent_passes_its_own_checks(
    agent: str, copy_template: CopyTemplate, run: Run, tmp_path: Path
) -> None:
    """Each sample agent passes its own checks."""
    project = copy_template(tmp_path / "my-bench", sample_agent=agent)
    printed = run("make", "install", "test", "lint", "typecheck", cwd=project)
    assert re.search(r"\d+ passed", printed)
    assert "0 errors" in printed
    assert "run" in run("uv", "run", "my-bench-runner", "--help", cwd=project)


@pytest.mark.full
def test_blank_agent_says_what_to_write(
    copy_template: CopyTemplate, run: Run, tmp_path: Path
) -> None:
    """Without an agent a run says what to write."""
    project = copy_template(tmp_path / "my-bench", sample_agent="blank")
    run("make", "install", cwd=project)
    printed = run("make", "run", cwd=project, code=2)
    assert "write generate() in runner/benchmark.py" in " ".join(printed.split())


@pytest.mark.full
def test_install_without_uv_uses_pip(
    copy_template: CopyTemplate, run: Run, path_without_uv: str, tmp_path: Path
) -> None:
    """Without uv the install uses venv and pip."""
    project = copy_template(tmp_path / "my-bench")
    env = {"PATH": path_without_uv}
    printed = run("make", "install", f"PYTHON={sys.executable}", cwd=project, env=env)
    assert "Next: .venv/bin/my-bench-runner run --dataset-name validation" in printed
    run("make", "test", "lint", "typecheck", cwd=project, env=env)
    run("make", "run", "ARGS=--dataset-name validation", cwd=project, env=env)
    assert run_result(project / "results")["complete"] is True


@pytest.mark.full
@pytest.mark.parametrize("uv", [True, False], ids=["uv", "pip"])
@pytest.mark.parametrize("source", ["git", "index", "vendor"])
def test_runtime_installs_from_each_source(
    source: str,
    uv: bool,
    copy_template: CopyTemplate,
    template_repo: Path,
    wheels: Path,
    run: Run,
    path_without_uv: str,
    tmp_path: Path,
) -> None:
    """The runtime is installed from each source, and all commands work."""
    answers = {
        "git": {"runtime_source": "git", "runtime_git_url": f"file://{template_repo}"},
        "index": {"runtime_source": "index"},
        "vendor": {"runtime_source": "clone", "clone_path": str(tmp_path / "moved away")},
    }[source]
    project = copy_template(tmp_path / "my-bench", **answers)
    env = {} if uv else {"PATH": path_without_uv}
    if source == "index":
        env |= {"UV_FIND_LINKS": str(wheels), "PIP_FIND_LINKS": str(wheels)}
    elif source == "vendor":
        shutil.copytree(wheels, project / "vendor")
    run("make", "install", f"PYTHON={sys.executable}", cwd=project, env=env)
    run("make", "test", cwd=project, env=env)
    use_every_command(project, run)


@pytest.mark.parametrize("uv", [True, False], ids=["uv", "pip"])
def test_missing_clone_says_what_to_do(
    uv: bool, copy_template: CopyTemplate, run: Run, path_without_uv: str, tmp_path: Path
) -> None:
    """Without the clone and a wheel the install says what to do."""
    project = copy_template(tmp_path / "my-bench", clone_path=str(tmp_path / "moved away"))
    env = {} if uv else {"PATH": path_without_uv}
    printed = run("make", "install", cwd=project, env=env, code=2)
    assert f"The runtime's clone is not at {tmp_path}/moved away" in printed
    assert "--data runtime_source=git" in printed
    assert not (project / ".venv").exists()


def test_old_python_is_refused(
    copy_template: CopyTemplate, run: Run, path_without_uv: str, tmp_path: Path
) -> None:
    """An old Python is refused before anything is made."""
    project = copy_template(tmp_path / "my-bench")
    env = {"PATH": path_without_uv}
    printed = run("make", "install", "PYTHON=false", cwd=project, env=env, code=2)
    assert "Python 3.11 or newer is needed" in printed
    assert not (project / ".venv").exists()
