"""What is refused before anything runs: exit code 2, one message, nothing written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Ended, RunnerProject


def refused(project: RunnerProject, *args: str | Path, command: str = "run") -> str:
    """Expect the command to be refused, and return the message on one line."""
    ended: Ended = project.run(command, *args)
    assert ended.code == 2, ended.err
    assert ended.out == ""
    assert "Traceback" not in ended.err
    assert project.calls == []
    assert not project.results.exists()
    # The frame around a usage error is no part of its message.
    return " ".join(ended.err.translate(str.maketrans("", "", "│╭╮╰╯─")).split())


class TestFlags:
    @pytest.mark.parametrize(
        "flags",
        [
            ["--dataset-name", "validation", "--dataset-file", "data/validation.json"],
            ["--dataset-name", "validation", "--problem", "p.txt", "t1"],
            ["--dataset-file", "data/validation.json", "--problem", "p.txt", "t1"],
        ],
    )
    def test_two_sources_of_tasks_exclude_each_other(
        self, project: RunnerProject, flags: list[str]
    ) -> None:
        """Two sources of tasks are refused together."""
        (project.root / "p.txt").write_text("?")
        message = refused(project, *flags)
        assert "exclude each other" in message
        assert flags[0] in message
        assert flags[2] in message

    @pytest.mark.parametrize(
        ("flags", "said"),
        [
            (["--parallelism", "0"], "--parallelism"),
            (["--parallelism", "-1"], "--parallelism"),
            (["--eval-parallelism", "0"], "--eval-parallelism"),
            (["--limit", "0"], "--limit"),
            (["--service-attempts", "0"], "--service-attempts"),
            (["--service-retry-time", "-1"], "--service-retry-time"),
            (["--eval-timeout", "0"], "--eval-timeout"),
            (["--timeout", "soon"], "--timeout"),
            (["--disable-streaming"], "needs --chat-completions"),
            (["--unknown-flag"], "--unknown-flag"),
            (["--timeout", "nan"], "--timeout"),
            (["--timeout", "inf"], "--timeout"),
            (["--temperature", "nan"], "--temperature"),
            (["--top-p", "inf"], "--top-p"),
            (["--eval-timeout", "nan"], "--eval-timeout"),
            (["--service-retry-time", "inf"], "--service-retry-time"),
            (["--custom-endpoint", "foo"], "--custom-endpoint"),
            (["--custom-endpoint", "ftp://example.com"], "--custom-endpoint"),
            (["--custom-endpoint", "http://"], "--custom-endpoint"),
            (["--dataset-name", " "], "--dataset-name is empty"),
            (["--service-url", "ftp://example.com"], "ftp://example.com"),
            (["--service-url", "example.com"], "example.com"),
        ],
    )
    def test_impossible_value_is_refused(
        self, project: RunnerProject, flags: list[str], said: str
    ) -> None:
        """A flag with a value that can't work is refused."""
        assert said in refused(project, *flags)

    def test_missing_service_names_the_setting(self, project: RunnerProject) -> None:
        """Without a service the error names SERVICE_URL and --service-url."""
        project.write_cli(default_service_url=None)
        message = refused(project)
        assert "no benchmark service" in message
        assert "SERVICE_URL" in message
        assert "--service-url" in message

    @pytest.mark.parametrize("given", [(), ("--model", " ")])
    def test_missing_model_names_the_flag(
        self, project: RunnerProject, given: tuple[str, ...]
    ) -> None:
        """Without a model, or with a blank one, the error names --model."""
        project.write_cli(default_model=None)
        assert "no model was given Give --model" in refused(project, *given)

    def test_key_over_plain_http_is_refused(
        self, project: RunnerProject, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A key over plain HTTP to another machine is refused."""
        monkeypatch.setenv("VALS_AUTH_KEY", "hidden-1")
        message = refused(project, "--service-url", "http://service.invalid")
        assert "--allow-insecure-http" in message
        assert "hidden" not in message


class TestTasks:
    def test_unknown_task_lists_the_known(self, project: RunnerProject) -> None:
        """An unknown task is refused with the known ones."""
        message = refused(project, "t1", "t9")
        assert "1 unknown task id: t9" in message
        assert "t3, t1, t2" in message

    def test_a_repeated_task_is_named(self, project: RunnerProject, tmp_path: Path) -> None:
        """A task that is named twice is refused."""
        assert "more than once: t1" in refused(project, "t1", "t1")
        (tmp_path / "ids").write_text("t1\n")
        assert "more than once: t1" in refused(project, "t1", "--task-file", tmp_path / "ids")

    @pytest.mark.parametrize(
        ("content", "said"),
        [(None, "No such file"), (b"", "names no task"), (b"\xff\xfe", "not UTF-8")],
    )
    def test_empty_task_file_is_refused(
        self, project: RunnerProject, content: bytes | None, said: str
    ) -> None:
        """A task file that names no task is refused."""
        file = project.root / "ids.txt"
        if content is not None:
            file.write_bytes(content)
        message = refused(project, "--task-file", "ids.txt")
        assert said in message
        assert "--task-file ids.txt" in message

    @pytest.mark.parametrize(
        "run_id", ["", "../x", "a/b", ".", "..", "a\\b", "run_config.json", " x", "x" * 300, "a\nb"]
    )
    def test_unsafe_run_id_is_refused(self, project: RunnerProject, run_id: str) -> None:
        """A run id that is no safe folder name is refused."""
        assert "run id" in refused(project, "--run-id", run_id)
        assert not (project.root / "x").exists()
        for command in ("score", "evaluate"):
            assert "run id" in refused(project, "--run-id", run_id, command=command)


class TestProblems:
    @pytest.mark.parametrize("task_ids", [[], ["t1", "t2"]])
    def test_a_problem_needs_exactly_one_task(
        self, project: RunnerProject, task_ids: list[str]
    ) -> None:
        """A problem needs exactly one task id."""
        (project.root / "p.txt").write_text("?")
        assert "exactly one TASK_ID" in refused(project, "--problem", "p.txt", *task_ids)

    @pytest.mark.parametrize("problem", ["missing.txt", "."])
    def test_unreadable_problem_is_named(self, project: RunnerProject, problem: str) -> None:
        """A problem that can't be read is named."""
        assert f"--problem {problem}" in refused(project, "--problem", problem, "--skip-eval", "t1")

    @pytest.mark.parametrize("task_id", ["../t1", "final_score.json"])
    def test_problem_needs_a_safe_task_id(self, project: RunnerProject, task_id: str) -> None:
        """The task id of a problem must be a safe folder name."""
        (project.root / "p.txt").write_text("?")
        message = refused(project, "--problem", "p.txt", "--skip-eval", task_id)
        assert task_id in message

    def test_a_problem_and_a_limit_exclude_each_other(self, project: RunnerProject) -> None:
        """A problem and a limit are refused together."""
        (project.root / "p.txt").write_text("?")
        assert "--limit" in refused(project, "--problem", "p.txt", "--limit", "1", "t1")


class TestDatasets:
    @pytest.mark.parametrize(
        ("name", "content", "said"),
        [
            ("missing.json", None, "missing.json: no such file"),
            ("d.json", "{", "not valid JSON"),
            ("d.json", '{"dataset_name": "d"}', "field tests"),
            ("d.json", "[]", "holds no tasks"),
            ("d.json", '[\n{"id": "a", "question": "?"},\n{"question": "?"}]', "line 3, field id"),
            ("d.jsonl", '{"id": "a", "question": "?"}\n{"id": "b"', "line 2"),
            ("d.jsonl", '{"id": "a", "question": "?"}\n7\n', "line 2"),
            (
                "d.jsonl",
                '{"id": "a", "question": "?"}\n{"id": "a", "question": "!"}\n',
                "line 2, field id: 'a' is taken by line 1",
            ),
            ("d.jsonl", '{"id": "../a", "question": "?"}\n', "line 1, field id"),
            ("d.jsonl", '{"id": "a"}\n', "task 'a', field question"),
            ("d.csv", "id,question\na,?,too much\n", "line 2"),
            ("d.txt", "?", "ends in .json, .jsonl or .csv"),
        ],
    )
    def test_malformed_dataset_is_named(
        self, project: RunnerProject, name: str, content: str | None, said: str
    ) -> None:
        """A malformed dataset is refused with its file, line and field."""
        if content is not None:
            (project.root / name).write_text(content)
        message = refused(project, "--dataset-file", name)
        assert said in message
        assert name in message

    def test_task_that_does_not_fit_is_named(self, project: RunnerProject) -> None:
        """A task that does not fit the task model is refused with its field."""
        project.change_agent(
            (
                "import BenchmarkRunner, GenerationResult\n",
                (
                    "import BenchmarkRunner, GenerationResult, Task\n\n\n"
                    "class SampleTask(Task):\n    docker_image: str\n"
                ),
            )
        )
        project.set_in_class("TASK_MODEL = SampleTask")
        message = refused(project)
        assert "task 't3', field docker_image: Field required" in message
        assert "does not fit SampleTask in 3 fields:" in message

    def test_failing_load_tasks_has_its_line(self, project: RunnerProject) -> None:
        """A load_tasks() that raises is reported with its line."""
        project.set_in_class("def load_tasks(self, dataset_file): return {}['tests']")
        message = refused(project)
        assert "load_tasks() failed: KeyError: 'tests'" in message
        assert "benchmark.py, line" in message

    @pytest.mark.parametrize("returned", ["None", "[{'id': 'a'}]", "'tasks'"])
    def test_load_tasks_must_return_tasks(self, project: RunnerProject, returned: str) -> None:
        """A load_tasks() that returns no tasks is refused."""
        project.set_in_class(f"def load_tasks(self, dataset_file): return {returned}")
        assert "load_tasks() returned" in refused(project)


class TestOptions:
    @pytest.mark.parametrize(
        ("option", "said"),
        [("depth=3", "This runner has none"), ("depth", "not KEY=VALUE"), ("=3", "not KEY=VALUE")],
    )
    def test_undeclared_option_is_refused(
        self, project: RunnerProject, option: str, said: str
    ) -> None:
        """An option that the author did not declare is refused."""
        message = refused(project, "--option", option)
        assert said in message
        assert "--option" in message

    def test_repeated_option_is_refused(self, project: RunnerProject) -> None:
        """An option that is given twice is refused."""
        project.change_agent(
            ("import asyncio\n", "import asyncio\n\nfrom pydantic import BaseModel\n"),
            (
                "class SampleRunner",
                "class Options(BaseModel):\n    depth: int = 1\n\n\nclass SampleRunner",
            ),
        )
        project.set_in_class("OPTIONS_MODEL = Options")
        assert "given twice" in refused(project, "--option", "depth=1", "--option", "depth=2")
        message = refused(project, "--option", "dept=1")
        assert "Known options: depth" in message


class TestDefinitions:
    @pytest.mark.parametrize(
        ("line", "said"),
        [
            ('PAYLOAD_TYPE = "artifact"', 'set EVALUATION_API = "v1"'),
            ('EVALUATION_API = "v2"', "'v2'"),
            ('NAME = ""', "no NAME"),
        ],
    )
    def test_invalid_runner_class_is_refused(
        self, project: RunnerProject, line: str, said: str
    ) -> None:
        """A runner class that can't work is refused."""
        project.set_in_class(line)
        assert said in refused(project)

    @pytest.mark.parametrize(
        ("setting", "value", "said"),
        [
            ("grader", "runner.grader:missing", "defines no missing"),
            ("grader", "runner.missing:grade", "no module 'runner.missing'"),
            ("grader", None, "no grader"),
        ],
    )
    def test_missing_grader_is_named(
        self, project: RunnerProject, setting: str, value: str | None, said: str
    ) -> None:
        """A grader that does not exist is named."""
        project.write_cli(**{setting: value})
        assert said in refused(project)

    def test_missing_runner_is_named(self, project: RunnerProject) -> None:
        """A runner that does not exist is named."""
        cli = project.root / "runner" / "cli.py"
        cli.write_text(cli.read_text().replace(":SampleRunner", ":Missing"))
        assert "defines no Missing" in refused(project)


class TestModulesThatDoNotWork:
    """One message with the file and the line, no traceback, and one object with --json."""

    FAULTS = {  # noqa: RUF012 (only read)
        "syntax": ("import os\n\ndef broken(:\n    pass\n", "SyntaxError", 3),
        "indent": ("import os\n\n\n  x = 1\n", "IndentationError", 4),
        "import": ("import os\nimport no_such_module\n", "No module named 'no_such_module'", 2),
        "name": ("from os import no_such_name\n", "cannot import name 'no_such_name'", 1),
        "raise": ("\n\n\n\nraise ValueError('not set up')\n", "ValueError: not set up", 5),
        "key": ("import os\n\nos.environ['NOT_THERE']\n", "KeyError: 'NOT_THERE'", 3),
        "inner": ("\nimport runner.helper\n", "ZeroDivisionError", 1),
    }

    @pytest.mark.parametrize("module", ["benchmark", "grader"])
    @pytest.mark.parametrize("fault", FAULTS)
    def test_broken_module_has_its_line(
        self, project: RunnerProject, module: str, fault: str
    ) -> None:
        """An error in the author's module is reported with its file and line."""
        content, said, line = self.FAULTS[fault]
        (project.root / "runner" / f"{module}.py").write_text(content)
        (project.root / "runner" / "helper.py").write_text("1 / 0\n")
        message = refused(project)
        assert said in message
        file = "helper" if fault == "inner" else module
        assert f"{file}.py, line {line}" in message
        assert "importlib" not in message

        ended = project.run("run", "--json")
        assert (ended.code, ended.err) == (2, "")
        assert ended.json["error"]["type"] == "RunnerDefinitionError"
        assert said in ended.json["error"]["message"]

    def test_broken_module_is_one_message(self, project: RunnerProject) -> None:
        """A broken module gives one message in a real process."""
        project.write_agent("class A:\n    x = = 1\n")
        ended = project.execute("run")
        assert (ended.code, ended.out) == (2, "")
        assert ended.err.startswith("RunnerDefinitionError: runner.benchmark ")
        assert len(ended.err.splitlines()) == 2

    def test_failing_init_has_its_line(self, project: RunnerProject) -> None:
        """A constructor that fails is reported with its line."""
        project.set_in_class("def __init__(self, **kwargs):\n        raise KeyError('MODEL_DIR')")
        for command in (["run"], ["evaluate", "--run-id", "r"], ["score", "--run-id", "r"]):
            message = refused(project, *command[1:], command=command[0])
            assert "SampleRunner() failed: KeyError: 'MODEL_DIR'" in message
            assert "benchmark.py, line " in message
        ended = project.run("run", "--json")
        assert ended.code == 2
        assert ended.json["error"]["type"] == "RunnerDefinitionError"

    def test_init_must_take_the_arguments(self, project: RunnerProject) -> None:
        """A constructor without the arguments is refused."""
        project.set_in_class("def __init__(self): super().__init__('local')")
        assert "SampleRunner() failed: TypeError" in refused(project)


def test_results_folder_that_is_a_file(
    project: RunnerProject,
) -> None:
    """A results folder that is a file is an error before anything is generated."""
    (project.root / "taken").write_text("not a folder")
    ended = project.run("run", "--results-dir", "taken")
    assert ended.code == 1
    assert "can't be written" in ended.err
    assert project.calls == []


def test_refused_command_is_one_message(project: RunnerProject) -> None:
    """A refused command gives one message in a real process."""
    ended = project.execute("run", "--dataset-file", "missing.json")
    assert (ended.code, ended.out) == (2, "")
    assert len(ended.err.strip().splitlines()) == 2
    assert ended.err.startswith("DatasetError: missing.json: no such file")


def test_wrong_encoding_is_named_with_its_line(project: RunnerProject) -> None:
    """A dataset that is not UTF-8 is refused with the line."""
    (project.root / "d.jsonl").write_bytes(json.dumps({"id": "a"}).encode() + b"\n\xff\n")
    assert "d.jsonl, line 2: not UTF-8" in refused(project, "--dataset-file", "d.jsonl")
