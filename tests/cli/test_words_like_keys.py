"""Keys in plain options, and words that are no secret."""

from __future__ import annotations

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
        ended = project.execute("run", "--option", f"token={key}", MODEL_API_KEY=key)
        assert ended.code == 2
        assert "--option token holds a key" in ended.err
        assert "SecretStr" in ended.err
        assert key not in ended.out + ended.err
        assert not project.results.exists()


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
        ended = project.execute("run", "--run-id", "r1", **words)
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
            ended = project.execute("run", "--run-id", "r1", "--json", CUSTOM_API_KEY=word)
            assert ended.code == 0, ended.err
            assert ended.json["counts"]["max_turns"] == 1
            assert ended.json["set_aside"] == []
        assert project.read("r1", "t2", "generation.json")["status"] == "max_turns"
        assert len(project.calls) == 2
