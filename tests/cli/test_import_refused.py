"""What ``import`` refuses: each line and field is named, and nothing is written."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from benchmark_runner._run.answer_import import reader

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Ended, RunnerProject

#: A line that can be imported, before each that can't.
GOOD = '{"task_id": "t1", "answer": "one"}'


def import_bytes(project: RunnerProject, content: bytes, *more: str) -> Ended:
    (project.root / "answers.jsonl").write_bytes(content)
    return import_file(project, "answers.jsonl", *more)


def import_file(project: RunnerProject, path: Path | str, *more: str) -> Ended:
    return project.run("import", path, "--run-id", "r1", "--model", "m", *more)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("what", "not JSON: expected value at column 1"),
        ('{"task_id": "t9", "answer": "two"}', "field task_id: the run has no task 't9'"),
        ('{"task_id": "t1", "answer": "two"}', "field task_id: 't1' is taken by line 1"),
        (
            '{"task_id": "t1", "repeat": 1, "answer": "two"}',
            "field task_id: 't1' is taken by line 1",
        ),
        ('{"task_id": "t2"}', "field answer: missing"),
        ('{"task_id": "t2", "answer": null}', "field answer: missing"),
        (
            '{"task_id": "t2", "answer": "", "status": "success", "generation_status": "error"}',
            "field status: is not the same as generation_status",
        ),
        (
            '{"task_id": "t2", "answer": "two", "error": "ValueError: no"}',
            "field status: missing, although there is an error: success or error?",
        ),
        ('{"task_id": "t2", "answer": "", "cost": -0.5}', "field cost: Input should be greater"),
        ('{"task_id": "t2", "answer": "", "cost": NaN}', "field cost: must be a finite number"),
        (
            '{"task_id": "t2", "answer": "two", "benchmark": "other"}',
            "field benchmark: is 'other', and this is 'sample'",
        ),
        (
            '{"task_id": "t2", "artifact": "two.txt"}',
            "field artifact: an answer of this benchmark is a text, not a file",
        ),
        (
            '{"task_id": "t2", "answer": "two", "trajectory": "none.json"}',
            "field trajectory: 'none.json' is no trajectory in the ATIF format",
        ),
        (
            '{"task_id": "t2", "answer": "two", "trajectory": "answers.jsonl"}',
            "field trajectory: 'answers.jsonl' is no trajectory in the ATIF format",
        ),
        (
            '{"task_id": "t2", "answer": "two", "trajectory": "../pipe"}',
            "field trajectory: '../pipe' leads out of the folder of the answers",
        ),
        (r'{"task_id": "t2", "answer": "", "trajectory": "a\u0000b"}', "field trajectory: "),
    ],
)
def test_line_is_named_and_nothing_written(project: RunnerProject, line: str, problem: str) -> None:
    """A line that can't be imported is named with its field, and nothing is written."""
    ended = import_bytes(project, f"{GOOD}\n\n{line}\n".encode())

    assert ended.code == 2
    assert ended.err.startswith(f"UsageError: answers.jsonl, line 3: {problem}"), ended.err
    assert not project.results.exists()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "answers.jsonl: holds no answers"),
        (b"\n \n", "answers.jsonl: holds no answers"),
        (b"\xef\xbb\xbf", "answers.jsonl: holds no answers"),
        (b'{"task_id": "t1", "generation_status": null}', "answers.jsonl: holds no answers"),
        (
            b"\x89PNG\0\0",
            "answers.jsonl, line 1: not UTF-8 text",
        ),
        ('{"task_id": "t1"}'.encode("utf-16"), "answers.jsonl, line 1: not UTF-8 text"),
        (b"\n".join([b"?"] * 8), "answers.jsonl: 8 lines can't be imported:\n  line 1: not JSON"),
    ],
)
def test_file_is_refused_as_a_whole(project: RunnerProject, content: bytes, problem: str) -> None:
    """An empty file, and one of another kind, is refused."""
    ended = import_bytes(project, content)

    assert ended.code == 2
    assert ended.err.startswith(f"UsageError: {problem}"), ended.err
    assert not project.results.exists()


def test_json_has_the_error(project: RunnerProject) -> None:
    """--json has the error as an object, and a long value is cut in it."""
    ended = import_bytes(project, f'{{"task_id": "{"x" * 10_000}"}}'.encode(), "--json")

    assert ended.code == 2
    error = ended.json["error"]
    assert error["type"] == "UsageError"
    assert error["message"].startswith("answers.jsonl, line 1: field task_id: the run has no task")
    assert len(error["message"]) < 400
    assert error["hint"] == "The run has 3 tasks (t3, t1, t2). Nothing was imported."


def test_long_line_is_refused(project: RunnerProject) -> None:
    """A line that is too long is refused, also one of white space."""
    project.monkeypatch.setattr(reader, "LONGEST_LINE", 100)
    for long in (b"x" * 101, b" " * 200):
        ended = import_bytes(project, b"\n".join([GOOD.encode(), long, GOOD.encode()]))

        assert ended.code == 2
        assert ended.err.startswith("UsageError: answers.jsonl, line 2: longer than")


class TestWhatIsNoFile:
    @pytest.mark.parametrize(
        ("name", "problem"),
        [
            ("missing.jsonl", "missing.jsonl: no such file"),
            ("data", "data: a folder, not a file"),
            ("pipe", "pipe: a pipe or a device, not a file"),
            ("-", "standard input can't be read twice"),
        ],
    )
    def test_it_is_refused(self, project: RunnerProject, name: str, problem: str) -> None:
        """A missing file, a folder, a pipe and standard input are refused, at once."""
        os.mkfifo(project.root / "pipe")

        ended = import_file(project, name)

        assert (ended.code, ended.err.splitlines()[0]) == (2, f"UsageError: {problem}")
        assert not project.results.exists()


class TestRuns:
    def test_model_is_required(self, project: RunnerProject) -> None:
        """The model is not the default one of the runner, and so it has to be named."""
        (project.root / "answers.jsonl").write_text(GOOD)

        ended = project.run("import", "answers.jsonl", "--run-id", "r1")

        assert ended.code == 2
        assert "--model" in ended.err

    def test_run_is_refused_for_imported_answers(self, project: RunnerProject) -> None:
        """Nothing is generated for a run of imported answers; the error names the next command."""
        import_bytes(project, GOOD.encode())

        ended = project.run("run", "--run-id", "r1")

        assert ended.code == 2
        assert "the answers of run 'r1' were imported" in ended.err
        assert "bin/sample-runner evaluate --run-id r1" in ended.err
        assert project.calls == []

    def test_generated_run_takes_no_imports(self, project: RunnerProject) -> None:
        """Answers are not imported into a run that was generated here."""
        project.run("run", "--run-id", "r1", "t1")
        before = project.files()

        ended = import_bytes(project, b'{"task_id": "t2", "answer": "two"}')

        assert ended.code == 2
        assert "the answers of run 'r1' are generated here, not imported" in ended.err
        assert project.files() == before

    @pytest.mark.parametrize(
        ("line", "field"),
        [
            ({"answer": "another"}, "answer"),
            ({"answer": "one", "cost": 2}, "cost"),
            ({"answer": "one", "output_tokens": 2}, "output_tokens"),
            ({"answer": "one", "status": "max_turns"}, "status"),
            ({"answer": "one", "started_at": "2026-01-01T00:00:00Z"}, "started_at"),
        ],
    )
    def test_different_answer_is_refused(
        self, project: RunnerProject, line: dict[str, object], field: str
    ) -> None:
        """An answer that differs from the one of the run is refused, and the field named."""
        import_bytes(project, b'{"task_id": "t1", "answer": "one", "cost": 1, "total_turns": 1}')

        again = f'{{"task_id": "t2", "answer": "two"}}\n{json.dumps({"task_id": "t1", **line})}'
        ended = import_bytes(project, again.encode())

        assert ended.code == 2
        assert f"answers.jsonl, line 2: field {field}: the run has another one" in ended.err
        assert "r1/t2/generation.json" not in project.files()

    def test_other_settings_are_refused(self, project: RunnerProject) -> None:
        """Another model or limit is another run."""
        import_bytes(project, GOOD.encode())

        for more in (("--model", "other"), ("--limit", "1")):
            ended = import_bytes(project, GOOD.encode(), *more)
            assert ended.code == 2, ended.err
            assert ended.err.startswith("RunIdentityError: run 'r1' was started with")
