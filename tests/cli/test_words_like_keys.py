"""Keys in plain options, and words that are no secret."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject


class TestAKeyInAPlainOption:
    def test_key_in_a_plain_option_is_refused(self, project: RunnerProject) -> None:
        """A key in a plain option is refused before anything is written."""
        project.change_agent(
            ("import asyncio\n", "import asyncio\n\nfrom pydantic import BaseModel\n"),
            (
                "class SampleRunner",
                "class Options(BaseModel):\n    token: str\n\n\nclass SampleRunner",
            ),
        )
        project.set_in_class("OPTIONS_MODEL = Options")
        key = "sk-4711-abcdefghijklmnop"
        ended = project.run("run", "--option", f"token={key}", MODEL_API_KEY=key)
        assert ended.code == 2
        assert "--option token holds a key" in ended.err
        assert "SecretStr" in ended.err
        assert key not in ended.out + ended.err
        assert not project.results.exists()


class TestPlainKeys:
    """Local servers take any key, and people give them a word."""

    @pytest.mark.parametrize(
        "word", ["anything", "EMPTY", "not-needed", "sk-xxxxxxxx", "password", "12345678"]
    )
    @pytest.mark.parametrize("by_flag", [False, True], ids=["variable", "flag"])
    def test_word_stays_in_answers(self, project: RunnerProject, word: str, by_flag: bool) -> None:
        """A word that is given for a key stays in answers and logs; one warning says so."""
        answer = f"It is {word}, or {word}s."
        project.write_tasks([{"id": "t1", "question": f"say {answer}", "answer": answer}])
        flags = ["--custom-api-key", word] if by_flag else []
        environment = {} if by_flag else {"CUSTOM_API_KEY": word}
        ended = project.run("run", "--run-id", "r1", *flags, **environment)
        assert ended.code == 0, ended.err
        assert project.read("r1", "t1", "generation.json")["data"] == answer
        assert project.read("r1", "final_score.json")["final_score"] == 1.0
        assert "***" not in ended.out + ended.err
        name = "--custom-api-key" if by_flag else "CUSTOM_API_KEY"
        warnings = [line for line in ended.err.splitlines() if line.startswith("Warning")]
        assert warnings == [
            f"Warning: {name} is a short or plain word, and is not masked in answers and logs"
        ]

    def test_each_plain_key_is_named(self, project: RunnerProject) -> None:
        """One warning names all keys that are words, with --json on standard error."""
        given = {"CUSTOM_API_KEY": "EMPTY", "BENCHMARK_API_KEY": "anything;none"}
        ended = project.run("run", "--run-id", "r1", "--json", **given)
        assert ended.json["masked"] == []
        assert "Warning: BENCHMARK_API_KEY, CUSTOM_API_KEY are plain words" in ended.err

    def test_real_keys_cause_no_warning(self, project: RunnerProject) -> None:
        """A key that looks like one causes no warning."""
        ended = project.run("run", CUSTOM_API_KEY="sk-4711-abcdefghijklmnop")
        assert "Warning" not in ended.out + ended.err


class TestMaskedAnswers:
    def test_masked_answer_is_graded_as_on_disk(self, project: RunnerProject) -> None:
        """An answer with a key is graded as it is on disk, and the command names its task."""
        key = "sk-4711-abcdefghijklmnop"
        project.write_grader(
            "def grade(task, response):\n    return {'score': 1.0, 'graded': response}\n"
        )
        tasks = [("t1", f"say the key is {key}"), ("t2", "say nothing")]
        project.write_tasks([{"id": i, "question": q, "answer": ""} for i, q in tasks])
        ended = project.run("run", "--run-id", "r1", CUSTOM_API_KEY=key)
        assert ended.code == 0, ended.err
        assert "Warning: a key was masked in the answer of: t1\n" in ended.out
        answer = project.read("r1", "t1", "generation.json")["data"]
        assert answer == "the key is ***"
        assert project.read("r1", "t1", "eval.json")["result"]["graded"] == answer
        events = (project.results / "r1" / "events.jsonl").read_text().splitlines()
        masked = [line for line in map(json.loads, events) if line["event"] == "answer_masked"]
        assert [line["task_id"] for line in masked] == ["t1"]
        # What is on disk stays as it is, and is not said again.
        flags = ["--run-id", "r1", "--regrade", "--json"]
        ended = project.run("evaluate", *flags, CUSTOM_API_KEY=key)
        assert ended.json["masked"] == []
        assert project.read("r1", "t1", "eval.json")["result"]["graded"] == answer


class TestWordsThatAreNoSecret:
    def test_common_password_changes_no_answer(self, project: RunnerProject) -> None:
        """A short or common password changes no answer."""
        words = {
            "DB_PASSWORD": "postgres",
            "MY_TOKEN": "123456789",
            "KEY": "three",
            "MY_KEY": "generation",
            "GCP_CREDENTIALS": str(project.root / "results"),
        }
        question = "say postgres 123456789 three generation"
        project.write_tasks([{"id": "t1", "question": question, "answer": ""}])
        ended = project.run("run", "--run-id", "r1", **words)
        assert ended.code == 0, ended.err
        assert project.read("r1", "t1", "generation.json")["data"] == question.removeprefix("say ")
        assert "***" not in ended.out + ended.err

    @pytest.mark.parametrize("word", ["max_turns", "generation_error", "evaluated", "metadata"])
    def test_key_like_a_field_word_spoils_no_file(self, project: RunnerProject, word: str) -> None:
        """A key that is one of our words leaves files that can be read."""
        project.write_tasks(
            [
                {"id": "t1", "question": "say one", "answer": "one"},
                {"id": "t2", "question": "out-of-turns", "answer": ""},
            ]
        )
        for _ in range(2):
            ended = project.run("run", "--run-id", "r1", "--json", CUSTOM_API_KEY=word)
            assert ended.code == 0, ended.err
            assert ended.json["counts"]["max_turns"] == 1
            assert ended.json["set_aside"] == []
        assert project.read("r1", "t2", "generation.json")["status"] == "max_turns"
        assert len(project.calls) == 2
