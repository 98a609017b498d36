"""A JSON object as the file of ``--problem``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Ended, RunnerProject

PROVER = {
    "id": "measure_dembo.lean",
    "header": "import Mathlib",
    "formal": "theorem x : True :=",
    "statement": "Show that True.",
}
MODEL = """\
from benchmark_runner import BenchmarkRunner, GenerationResult, Task


class Theorem(Task):
    header: str
    formal: str
    statement: str

"""


@pytest.fixture
def prover(project: RunnerProject) -> RunnerProject:
    """A runner whose tasks have fields, which the agent answers with."""
    project.change_agent(
        ("from benchmark_runner import BenchmarkRunner, GenerationResult\n", MODEL),
        (
            "        word, _, rest",
            "        return GenerationResult(answer=repr(task))\n        word, _, rest",
        ),
    )
    project.set_in_class("TASK_MODEL = Theorem")
    return project


def run(project: RunnerProject, problem: str, *flags: str) -> Ended:
    (project.root / "problem.txt").write_text(problem)
    flags = ("--problem", "problem.txt", "--skip-eval", *flags)
    return project.run("run", "--run-id", "r1", *flags, "t1")


def answer(project: RunnerProject) -> str:
    return project.read("r1", "t1", "generation.json")["data"]


def test_object_fills_the_model(prover: RunnerProject) -> None:
    """A JSON object fills TASK_MODEL; the id is that of the command."""
    ended = run(prover, json.dumps(PROVER))
    assert ended.code == 0, ended.err
    for part in ("id='t1'", "formal='theorem x : True :='", "header='import Mathlib'"):
        assert part in answer(prover)
    assert run(prover, json.dumps(PROVER)).code == 0


@pytest.mark.parametrize("problem", ["Show that True.", json.dumps({"header": "x"}), "{half"])
def test_missing_field_is_bad_input(prover: RunnerProject, problem: str) -> None:
    """A missing required field ends the command before anything runs."""
    ended = run(prover, problem)
    assert ended.code == 2
    assert "field formal: Field required" in ended.err
    assert "JSON object" in ended.err
    assert not prover.results.exists()


def test_reference_never_reaches_the_agent(prover: RunnerProject) -> None:
    """A field that only the grader may see reaches neither the task nor its question."""
    assert run(prover, json.dumps({**PROVER, "answer": "hidden 42"})).code == 0
    for name in prover.files():
        assert b"hidden 42" not in (prover.results / name).read_bytes()


def test_key_that_occurs_twice_is_refused(prover: RunnerProject) -> None:
    """A key that occurs twice is refused."""
    ended = run(prover, '{"header": "a", "header": "b", "formal": "c", "statement": "d"}')
    assert ended.code == 2
    assert "has the key 'header' twice" in ended.err


def test_question_of_an_object_is_the_question(project: RunnerProject) -> None:
    """The question of an object is the question, and a byte order mark is passed over."""
    assert run(project, '\ufeff{"question": "say yes", "timeout": 5}').code == 0
    assert answer(project) == "yes"


@pytest.mark.parametrize(
    "rest",
    [
        "",
        ', "timeout": NaN}',
        ', "header": "\\ud800"}',
        ", }",
        ', "b": 1 "c": 2}',
        ', "b": ' + 5000 * "[" + 5000 * "]" + "}",
    ],
    ids=["cut", "NaN", "half of a pair", "comma", "no comma", "deep"],
)
def test_broken_object_is_refused(project: RunnerProject, rest: str) -> None:
    """An object with a question that can't be read is not the question: it may tell the answer."""
    ended = run(project, '{"answer": "hidden", "question": "say yes"' + rest)
    assert ended.code == 2
    assert "problem.txt: not a JSON object: " in ended.err
    assert project.calls == []


def test_unknown_field_is_kept(prover: RunnerProject) -> None:
    """A field that TASK_MODEL does not declare is kept, as in a dataset."""
    assert run(prover, json.dumps({**PROVER, "colour": "red"})).code == 0
    assert "colour='red'" in answer(prover)


@pytest.mark.parametrize(
    "problem",
    [
        'say {"a": 1}',
        '["say"]',
        '{"question": "2+2"} is what to answer',
        '{x | x > 2}, in which "question": is a word',
    ],
)
def test_other_text_is_the_question(project: RunnerProject, problem: str) -> None:
    """Any other text is the question."""
    project.heal()
    assert run(project, problem).code == 0
    assert project.read("r1", "t1", "generation.json")["question"] == problem


def test_object_without_a_question_is_one(project: RunnerProject) -> None:
    """An object without a question is the question as a whole, as it was."""
    problem = '{"statement": "Show that True."}'
    run(project, problem)
    assert project.read("r1", "t1", "generation.json")["question"] == problem
