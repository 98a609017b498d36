"""A copy for an orchestrator: sent to a container, installed there, and run for one task."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.template.copies import clone_with_release, commit, copy, init_and_commit, update
from tests.template.doctor.examination import examine

if TYPE_CHECKING:
    from tests.conftest import Run
    from tests.template.conftest import CopyTemplate

QUESTIONS = yaml.safe_load((Path(__file__).parents[2] / "copier.yml").read_text())
AGENTS = list(QUESTIONS["sample_agent"]["choices"].values())
#: Stands for the packages that an agent asks its models with.
STUBS = """\
from unittest.mock import MagicMock
class Stubs:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in {"openai", "model_library"}:
            from importlib.machinery import ModuleSpec
            class Loader:
                create_module = staticmethod(lambda spec: MagicMock(__path__=[]))
                exec_module = staticmethod(lambda module: None)
            return ModuleSpec(name, Loader(), is_package=True)
sys.meta_path.insert(0, Stubs)
"""
MOST_ARTIFACTS = 10
TASK = "sum-of-products"


def contract_of(project: Path) -> dict[str, Any]:
    return yaml.safe_load((project / "contract.yaml").read_text())


class Container:
    """Folders of a container, and what an orchestrator does in them."""

    def __init__(self, root: Path, contract: dict[str, Any]) -> None:
        self.root, self.contract = root, contract
        self.bundle = root / "bundle" / contract["name"]
        self.task = root / "task of an agent"
        self.task.mkdir(parents=True)
        self.error = root / "error"

    def send(self, project: Path) -> None:
        """Copy the repository, with a broken environment of the author's machine."""
        ignore = shutil.ignore_patterns("contract.yaml", ".venv", ".git")
        shutil.copytree(project, self.bundle, ignore=ignore)
        (self.bundle / ".venv-bundle/bin").mkdir(parents=True)
        (self.bundle / ".venv-bundle/bin/python").symlink_to("/nowhere/python")

    def install(self, path: str, code: int = 0) -> str:
        # Of this machine are the settings of the network, too.
        settings = os.environ | {"PATH": path}
        return self._shell(self.contract["install_cmd"], self.bundle, code, **settings)

    def run(self, question: str, task_id: str = TASK, code: int = 0, **changed: str) -> str:
        """Run one task; the variables of the environment are in capitals."""
        problem = self.task / "problem statement.txt"
        problem.write_text(question)
        values = {name: each["default"] for name, each in self.contract["kwargs"].items()}
        values |= {
            "model": self.contract["defaults"]["model"]["default"],
            "problem_statement_path": str(problem),
            "task_id": task_id,
        }
        command = self.contract["run_cmd"]
        for name, value in {**values, **changed}.items():
            command = command.replace(f"{{{name}}}", str(value))
        assert "{" not in command
        return self._shell(
            f"timeout 60 {command}", self.task, code, VALKYRIE_ERROR_PATH=str(self.error)
        )

    def outputs(self, task_id: str = TASK) -> dict[str, list[Path]]:
        """The files of each artifact that is there."""
        assert len(self.contract["output_artifacts"]) <= MOST_ARTIFACTS
        found: dict[str, list[Path]] = {}
        for each in self.contract["output_artifacts"]:
            source = self._inside(each["source"].replace("{task_id}", task_id))
            found[each["path"]] = [*self.root.glob(source.removeprefix(f"{self.root}/"))]
            assert found[each["path"]] or each.get("required") is False
        return {path: files for path, files in found.items() if files}

    @property
    def final_output(self) -> Path:
        return Path(self._inside(self.contract["final_output"]))

    def _inside(self, text: str) -> str:
        return re.sub(r"(^| )/(?=bundle/|app/)", rf"\g<1>{self.root}/", text)

    def _shell(self, command: str, cwd: Path, code: int, **environment: str) -> str:
        done = subprocess.run(
            ["sh", "-c", self._inside(command)],
            cwd=cwd,
            env={"PATH": "/usr/bin:/bin", "HOME": os.environ["HOME"], **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout
        return done.stdout


@pytest.fixture
def container(
    request: pytest.FixtureRequest, copy_template: CopyTemplate, run: Run, tmp_path: Path
) -> Container:
    """A container with a copy of the baseline, or of the agent that the test gives."""
    agent: str = getattr(request, "param", "baseline")
    answers = {"orchestrator": "contract", "sample_agent": agent, "docker": False}
    project = copy_template(tmp_path / "my-bench", **answers)
    run("make", "vendor", cwd=project)
    made = Container(tmp_path / "container", contract_of(project))
    made.send(project)
    return made


def without_uv() -> str:
    folders = os.environ["PATH"].split(os.pathsep)
    return os.pathsep.join(folder for folder in folders if not (Path(folder) / "uv").exists())


@pytest.mark.parametrize(
    ("container", "tool"),
    [
        ("baseline", "uv"),
        pytest.param("baseline", "pip", marks=pytest.mark.full),
        pytest.param("command", "uv", marks=pytest.mark.full),
    ],
    indirect=["container"],
)
def test_contract_installs_and_runs_a_task(container: Container, tool: str) -> None:
    """The contract installs the agent, runs a task, and names files that are there."""
    if tool == "pip" and shutil.which("uv", path="/usr/local/sbin:/usr/local/bin:/usr/bin:/bin"):
        pytest.skip("uv is found wherever PATH leads")
    path = without_uv() if tool == "pip" else os.environ["PATH"]
    container.install(path)
    assert container.install(path) == ""
    container.run("What is 12 * 7 + 5 * 3?")
    outputs = container.outputs()
    (generation,) = outputs["generation.json"]
    assert generation == container.final_output / TASK / "generation.json"
    content = json.loads(generation.read_text())
    model = container.contract["defaults"]["model"]["default"]
    assert (content["status"], content["data"], content["model"]) == ("success", "99", model)
    recorded = ["atif/trajectory.json"] if model == "sample" else []
    assert [*outputs] == ["generation.json", "run_config.json", *recorded]
    assert not container.error.exists()
    # The container is started again, and then for another model.
    written = generation.stat().st_mtime_ns
    container.run("What is 12 * 7 + 5 * 3?")
    assert generation.stat().st_mtime_ns == written
    container.run("What is 12 * 7 + 5 * 3?", code=2, model="other")
    assert container.error.read_text().startswith("RunIdentityError: ")


def test_setup_without_a_wheel_says_what_to_do(container: Container) -> None:
    """Without the runtime's wheel the set-up says what to do."""
    shutil.rmtree(container.bundle / "vendor")
    said = container.install(os.environ["PATH"], code=1)
    assert "run 'make vendor' before" in said


def test_setup_without_python_says_what_to_do(container: Container, tmp_path: Path) -> None:
    """Without uv and a recent Python the set-up says what to do."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("python3", "python3.11", "python3.12", "python3.13", "python3.14"):
        (tools / name).write_text("#!/bin/sh\nexit 1\n")
        (tools / name).chmod(0o755)
    if shutil.which("uv", path="/usr/local/sbin:/usr/local/bin:/usr/bin:/bin"):
        pytest.skip("uv is found wherever PATH leads")
    said = container.install(f"{tools}:/usr/bin:/bin", code=1)
    assert "no uv, and no Python 3.11 or newer" in said


@pytest.mark.sampled(2)
@pytest.mark.parametrize("source", ["clone", "git", "index"])
@pytest.mark.parametrize("name", ["my-bench", "true", "a-benchmark-with-the-longest-of-names-ok"])
def test_contract_is_valid_whatever_is_answered(
    source: str, name: str, copy_template: CopyTemplate, run: Run, tmp_path: Path
) -> None:
    """The contract is valid YAML, and the script valid for a POSIX shell."""
    answers = {"orchestrator": "contract", "runtime_source": source, "benchmark_name": name}
    project = copy_template(tmp_path / "my-bench", **answers)
    contract = contract_of(project)
    assert contract["name"] == name
    assert contract["run_cmd"].startswith(f"/bundle/{name}/.venv-bundle/bin/{name}-runner run ")
    assert contract["install_egress"] == "*"
    assert os.access(project / "setup.sh", os.X_OK)
    run("sh", "-n", "setup.sh", cwd=project)


def test_update_adds_and_keeps_the_contract(template_repo: Path, run: Run, tmp_path: Path) -> None:
    """Another answer adds both files later; an update keeps the author's, and not the script."""
    template = clone_with_release(template_repo, tmp_path / "template", run)
    project = copy(template, tmp_path / "my-bench", {})
    init_and_commit(project, run)
    run("sh", "-c", "make update ARGS='--data orchestrator=contract'", cwd=project)
    own = (project / "contract.yaml").read_text().replace("type: int", "type: float")
    (project / "contract.yaml").write_text(own)
    commit(project, run)
    for file in (template / "template").glob("*orchestrator == 'contract'*"):
        file.write_text(f"{file.read_text()}# New.\n")
    commit(template, run)
    run("git", "tag", "v0.2.0", cwd=template)
    update(project)
    assert (project / "contract.yaml").read_text() == own
    assert (project / "setup.sh").read_text().endswith("# New.\n")


def test_update_restores_no_deleted_contract(template_repo: Path, run: Run, tmp_path: Path) -> None:
    """An update does not bring back a contract that the author deleted."""
    template = clone_with_release(template_repo, tmp_path / "template", run)
    project = copy(template, tmp_path / "my-bench", {"orchestrator": "contract"})
    (project / "contract.yaml").unlink()
    init_and_commit(project, run)
    commit(template, run)
    run("git", "tag", "v0.2.0", cwd=template)
    update(project)
    assert not (project / "contract.yaml").exists()


# As an update with docker=false removes the Dockerfile, in test_ownership.py.
@pytest.mark.full
def test_update_removes_the_script(template_repo: Path, run: Run, tmp_path: Path) -> None:
    """Another answer removes the script later."""
    template = clone_with_release(template_repo, tmp_path / "template", run)
    project = copy(template, tmp_path / "my-bench", {"orchestrator": "contract"})
    init_and_commit(project, run)
    run("sh", "-c", "make update ARGS='--data orchestrator=none'", cwd=project)
    assert not (project / "setup.sh").exists()


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    "answers",
    [*({"sample_agent": agent} for agent in AGENTS), {"payload": "artifact"}],
    ids=lambda answers: "-".join(answers.values()),
)
def test_doctor_finds_no_problem(
    answers: dict[str, str], copy_template: CopyTemplate, tmp_path: Path
) -> None:
    """The contract of each sample fits the runner, and a key that is taken out does not."""
    project = copy_template(tmp_path / "my-bench", orchestrator="contract", **answers)
    checked = examine(project, "--offline", prelude=STUBS)["contract"]
    assert checked["status"] == "ok", checked
    file = project / "contract.yaml"
    keys = contract_of(project)["secrets"]
    for key in keys:
        file.write_text(re.sub(rf".*{key}.*\n", "", file.read_text()))
        checked = examine(project, "--offline", prelude=STUBS)["contract"]
        assert checked["message"].startswith(f"{key}, named in ")


@pytest.mark.sampled
@pytest.mark.parametrize(
    ("agent", "keys"),
    [
        ("baseline", set()),
        ("blank", set()),
        ("command", set()),
        ("tools", {"OPENAI_API_KEY"}),
        ("chat", {"OPENAI_API_KEY"}),
        ("model-library", {"OPENAI_API_KEY"}),
    ],
)
def test_secrets_are_those_of_the_sample(
    agent: str, keys: set[str], copy_template: CopyTemplate, tmp_path: Path
) -> None:
    """The keys in the contract are those that the sample agent reads."""
    project = copy_template(tmp_path / "my-bench", orchestrator="contract", sample_agent=agent)
    assert {*contract_of(project)["secrets"]} == keys
