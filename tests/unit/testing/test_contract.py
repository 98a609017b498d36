from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    #: By case: how each test of the contract ended.
    Endings = dict[str, dict[str, str]]

ROWS = (
    {"id": "t1", "question": "2+2?", "answer": "4"},
    {"id": "t2", "question": "3+3?", "answer": "6"},
)
GOOD = "async def generate(self, task, model, llm_config=None, log_dir=None)"
IMPORTS = "from benchmark_runner import BenchmarkRunner, GenerationResult, Task"

COMPLETE = "test_the_runner_class_is_complete"
CALLABLE = "test_generate_takes_what_the_framework_passes"
LOADS = "test_the_dataset_loads"
SAME_AGAIN = "test_loading_again_gives_the_same_tasks"
REFERENCES = "test_the_dataset_holds_references_for_the_grader"
INPUTS = "test_each_input_folder_is_that_of_a_task"
WHEEL = "test_the_wheel_holds_what_is_imported"
OPTIONS = "test_options_have_defaults"


@dataclass(frozen=True)
class Case:
    """A runner, and the test of the contract that has to fail on it; ``None`` means none.

    Tests that depend on what is broken may fail as well.
    """

    fails: str | None
    generate: str = GOOD
    names: str = ""
    rows: object = ROWS
    before: str = ""
    dataset: str | None = "data/validation.json"
    manifest: str = ""
    inputs: tuple[str, ...] = ()

    def source(self) -> str:
        method = f"    {self.generate}:\n        return GenerationResult()\n"
        body = method if self.generate else ""
        head = 'class MyBenchRunner(BenchmarkRunner):\n    NAME = "my-bench"\n'
        return f"{IMPORTS}\n{self.before}\n{head}    {self.names}\n{body}"


MANIFEST = """\
[build-system]
build-backend = "hatchling.build"
[project.scripts]
mine = "runner_{name}:cli"
[tool.hatch.build.targets.wheel]
include = ["runner_*"]
"""
#: An author's own form of a dataset: a list of questions.
OWN_LOADER = (
    "load_tasks = lambda self, file: [Task(id=f't{n}', question=q)"
    " for n, q in enumerate(json.loads(Path(file).read_text())['tests'])]"
)

CASES = {
    "good": Case(None),
    "without_generate": Case(COMPLETE, generate=""),
    "artifact_payload": Case(COMPLETE, names='PAYLOAD_TYPE = "artifact"'),
    "unknown_api": Case(COMPLETE, names='EVALUATION_API = "v2"'),
    "without_name": Case(COMPLETE, names='NAME = ""'),
    "hidden_question": Case(COMPLETE, names='EVALUATOR_FIELDS = frozenset({"question"})'),
    "declared_reference": Case(
        COMPLETE,
        names="TASK_MODEL = Answered",
        before="class Answered(Task):\n    answer: str = ''\n",
    ),
    "without_settings": Case(CALLABLE, "async def generate(self, task, model)"),
    "without_log_dir": Case(CALLABLE, "async def generate(self, task, model, llm_config=None)"),
    "without_llm_config": Case(CALLABLE, "async def generate(self, task, model, log_dir=None)"),
    "another_required": Case(
        CALLABLE, "async def generate(self, task, model, llm_config, log_dir, browser)"
    ),
    "another_required_by_name": Case(
        CALLABLE, "async def generate(self, task, model, llm_config, log_dir, *, browser)"
    ),
    "model_by_name_only": Case(
        CALLABLE, "async def generate(self, task, *, model, llm_config=None, log_dir=None)"
    ),
    "settings_by_position_only": Case(
        CALLABLE, "async def generate(self, task, model, llm_config=None, log_dir=None, /)"
    ),
    "without_defaults": Case(None, "async def generate(self, task, model, llm_config, log_dir)"),
    "settings_in_one": Case(None, "async def generate(self, task, model, **settings)"),
    "unused_names": Case(
        None, "async def generate(self, _task, _model, llm_config=None, log_dir=None)"
    ),
    "another_optional": Case(
        None, "async def generate(self, task, model, llm_config=None, log_dir=None, browser=None)"
    ),
    "no_coroutine": Case(None, "def generate(self, task, model, llm_config=None, log_dir=None)"),
    "no_dataset": Case(LOADS, rows=None),
    "empty_dataset": Case(LOADS, rows=[]),
    "no_question": Case(LOADS, rows=[{"id": "t1", "answer": "4"}]),
    "repeated_id": Case(LOADS, rows=[ROWS[0], ROWS[0]]),
    "unsafe_id": Case(LOADS, rows=[{**ROWS[0], "id": "../t1"}]),
    "task_model": Case(
        LOADS,
        names="TASK_MODEL = Docker",
        before="class Docker(Task):\n    docker_image: str\n",
    ),
    "other_tasks_each_time": Case(
        SAME_AGAIN,
        names="load_tasks = lambda self, file: [Task(id='t1', question=str(next(counter)))]",
        before="from itertools import count\ncounter = count()\n",
    ),
    "no_reference": Case(REFERENCES, rows=[*ROWS, {"id": "t3", "question": "4+4?"}]),
    "inputs_of_tasks": Case(None, inputs=("t1", "t2")),
    "inputs_of_no_task": Case(INPUTS, inputs=("t1", "t3")),
    "graded_by_a_service": Case(None, rows=[{"id": "t1", "question": "q"}]),
    "own_json": Case(
        None, names=OWN_LOADER, rows=["q1", "q2"], before="import json\nfrom pathlib import Path\n"
    ),
    "own_folder": Case(
        None,
        names="load_tasks = lambda self, folder: [Task(id=p.stem, question=p.read_text())"
        " for p in sorted(Path(folder).glob('*.json'))]",
        before="from pathlib import Path\n",
        dataset="data",
    ),
    "own_lines": Case(
        None,
        names="load_tasks = lambda self, file: [Task(id='t1', question=Path(file).read_text())]",
        before="from pathlib import Path\n",
        rows=[{"task": "t1"}, {"task": "t2", "answer": "4"}],
    ),
    "no_file": Case(
        None,
        names="load_tasks = lambda self, file: [Task(id='t1', question='q')] * (file is None)",
        rows=None,
        dataset=None,
    ),
    "coroutine": Case(
        None, names="async def load_tasks(self, file): return [Task(id='a', question='q')]"
    ),
    "added_tasks": Case(
        None, names="load_tasks = lambda self, file: self.add_task(Task(id='a', question='q'))"
    ),
    "tasks_by_option": Case(
        None,
        names="OPTIONS_MODEL = Options; "
        "load_tasks = lambda self, file: [Task(id=self.options.level, question='q')]",
        before="from pydantic import BaseModel\nclass Options(BaseModel):\n    level: str = 'a'\n",
    ),
    "no_own_tasks": Case(LOADS, names="load_tasks = lambda self, file: []"),
    "nothing_hidden": Case(
        None, names="EVALUATOR_FIELDS = frozenset()", rows=[{"id": "t1", "question": "q"}]
    ),
    "module_in_no_wheel": Case(WHEEL, before="import beside_module_in_no_wheel", manifest=MANIFEST),
    "module_in_the_wheel": Case(
        None, before="import beside_module_in_the_wheel", manifest=MANIFEST.replace("runner_*", "*")
    ),
    "required_option": Case(
        OPTIONS,
        names="OPTIONS_MODEL = Options",
        before="from pydantic import BaseModel\nclass Options(BaseModel):\n    level: int\n",
    ),
}


@pytest.fixture(scope="module")
def endings(tmp_path_factory: pytest.TempPathFactory) -> Endings:
    """A repository for each case; pytest runs the contract in all of them."""
    top = tmp_path_factory.mktemp("cases")
    for name, case in CASES.items():
        write_repository(top / name, name, case)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "--tb=short", top],
        cwd=top,
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([*(str(top / name) for name in CASES), *sys.path]),
            "PYTEST_ADDOPTS": "",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
    )
    endings: Endings = defaultdict(dict)
    line = re.compile(r"^(\w+)/test_\w+\.py::TestRunnerContract::(\w+) ([A-Z]+)", re.MULTILINE)
    for name, test, ended in line.findall(done.stdout):
        endings[name][test] = ended
    assert endings.keys() == CASES.keys(), done.stdout + done.stderr
    return endings


def write_repository(root: Path, name: str, case: Case) -> None:
    (root / "data").mkdir(parents=True)
    (root / "pyproject.toml").write_text(case.manifest.format(name=name))
    (root / f"beside_{name}.py").touch()
    (root / f"runner_{name}.py").write_text(case.source())
    (root / f"test_{name}.py").write_text(
        "from benchmark_runner.testing import RunnerContract\n"
        f"from runner_{name} import MyBenchRunner\n"
        "class TestRunnerContract(RunnerContract):\n"
        "    runner_class = MyBenchRunner\n"
        f"    dataset_file = {case.dataset!r}\n"
    )
    for task_id in case.inputs:
        (root / "data" / "inputs" / task_id).mkdir(parents=True)
    if case.rows is not None:
        data = {"dataset_name": "validation", "tests": case.rows}
        (root / "data" / "validation.json").write_text(json.dumps(data))


def test_only_the_authors_class_is_collected(endings: Endings) -> None:
    """Pytest collects the contract's tests once, in the author's class."""
    assert set(endings["good"]) == {
        COMPLETE,
        CALLABLE,
        LOADS,
        SAME_AGAIN,
        REFERENCES,
        INPUTS,
        WHEEL,
        OPTIONS,
    }


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.fails is None])
def test_working_runner_passes_every_test(endings: Endings, name: str) -> None:
    """A runner that works passes all tests of the contract."""
    assert set(endings[name].values()) == {"PASSED"}


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.fails])
def test_broken_runner_fails_the_matching_test(endings: Endings, name: str) -> None:
    """A broken runner fails the test that is about its error."""
    fails = CASES[name].fails
    assert fails is not None

    assert endings[name][fails] == "FAILED"


@pytest.mark.parametrize(
    "name",
    [
        "other_tasks_each_time",
        "no_reference",
        "inputs_of_no_task",
        "required_option",
        "without_log_dir",
        "module_in_no_wheel",
    ],
)
def test_one_error_fails_one_test(endings: Endings, name: str) -> None:
    """An error of one kind fails one test and no other."""
    failed = [test for test, ended in endings[name].items() if ended != "PASSED"]

    assert failed == [CASES[name].fails]
