"""The messages and the output of a sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.unit.results.export.inspect_log.trajectory_texts import SECRET, Texts
from tests.unit.results.report.agents import call, result, step, trajectory, usual

if TYPE_CHECKING:
    from pathlib import Path


def roles(texts: Texts) -> list[str]:
    return [message["role"] for message in texts.messages]


class TestMessages:
    def test_steps_are_messages(self, tmp_path: Path) -> None:
        """Each step and each result is a message; that of a later step follows its call."""
        texts = Texts(tmp_path, usual())

        assert roles(texts) == [
            "system", "user", "assistant", "tool", "tool", "assistant", "tool", "assistant",
        ]  # fmt: skip
        assert texts.messages[1]["content"] == "What is the area?\n[image: shots/1.png]"
        assert (texts.messages[6]["content"], texts.messages[6]["function"]) == (
            "6.0", "run_python",
        )  # fmt: skip
        assert len({message["id"] for message in texts.messages}) == 8

    def test_reasoning_and_calls(self, tmp_path: Path) -> None:
        """A turn has its reasoning, its text, its calls and its model."""
        message = Texts(tmp_path, usual()).messages[2]

        thought, text = message["content"]
        assert thought["reasoning"].startswith("The sides are 3, 4 and 5.")
        assert text == {"type": "text", "text": "I look it up, and compute it."}
        assert [each["function"] for each in message["tool_calls"]] == ["search", "run_python"]
        assert message["tool_calls"][0]["arguments"]["pages"] == [1, 2]
        assert message["model"] == "some-model-1"

    def test_failed_call_has_an_error(self, tmp_path: Path) -> None:
        """The result of a call that failed says so; that of another does not."""
        found = [each for each in Texts(tmp_path, usual()).messages if each["role"] == "tool"]

        assert found[1]["error"] == {"type": "unknown", "message": "ValueError: math domain error"}
        assert "error" not in found[0]

    def test_ids_that_are_used_again(self, tmp_path: Path) -> None:
        """Calls with one id, or none, get ids of their own, and results go to the last one."""
        steps = [
            step(
                number,
                tool_calls=[call("same", "try"), call("", "guess")],
                observation={"results": [result("same", f"result {number}")]},
            )
            for number in (1, 2)
        ]

        texts = Texts(tmp_path, trajectory(*steps))

        calls = [each for message in texts.messages for each in message.get("tool_calls", ())]
        ids = [each["id"] for each in calls]
        assert len(set(ids)) == 4
        answered = {each["tool_call_id"]: each["content"] for each in texts.messages[1::2]}
        assert answered == {ids[0]: "result 1", ids[2]: "result 2"}

    def test_what_no_call_asked_for(self, tmp_path: Path) -> None:
        """A result that belongs to no call is a message to the agent."""
        seen = {"results": [result(None, "It rains."), result("unknown", "It snows.")]}

        texts = Texts(tmp_path, trajectory(step(1, message="I look.", observation=seen)))

        assert [(each["role"], each["content"]) for each in texts.messages[1:]] == [
            ("user", "It rains."), ("user", "It snows."),
        ]  # fmt: skip


class TestOutput:
    def test_last_message_is_the_answer(self, tmp_path: Path) -> None:
        """The output is the last message of the agent if that is the answer."""
        texts = Texts(tmp_path, usual(), answer="The area is 6.\n")

        assert texts.output["choices"][0]["message"] == texts.messages[-1]
        assert texts.output["completion"] == "The area is 6."

    def test_other_answer(self, tmp_path: Path) -> None:
        """The output is the answer where the agent's last message is another."""
        texts = Texts(tmp_path, usual(), answer="six")

        assert texts.output["completion"] == "six"
        assert len(texts.messages) == 8

    def test_question_and_answer(self, tmp_path: Path) -> None:
        """Without a trajectory, the question and the answer are the messages."""
        texts = Texts(tmp_path, answer="six")

        assert [(each["role"], each["content"]) for each in texts.messages] == [
            ("user", "What is the area?"), ("assistant", "six"),
        ]  # fmt: skip
        assert texts.output["choices"][0]["message"] == texts.messages[1]

    def test_no_answer(self, tmp_path: Path) -> None:
        """Without an answer the output has no choice."""
        texts = Texts(tmp_path, answer="")

        assert roles(texts) == ["user"]
        assert texts.output == {"model": "m", "choices": [], "completion": ""}


class TestLimits:
    def test_long_texts_are_cut(self, tmp_path: Path) -> None:
        """Texts beyond sixteen million characters of a sample are cut, and a note says so."""
        texts = Texts(
            tmp_path, trajectory(*(step(n, message="x" * 5_000_000) for n in range(1, 6)))
        )

        lengths = [len(each["content"]) for each in texts.messages]
        assert lengths[:3] == [5_000_000] * 3
        assert max(lengths[3:]) < 1000
        assert "4,999,500 characters left out" in texts.messages[3]["content"]
        assert any("are cut here" in note["note"] for note in texts.notes())

    def test_no_secret_is_cut_in_two(self, tmp_path: Path) -> None:
        """A key in a text that is cut is masked before, so that no part of it stays."""
        hidden = "y" * 490 + SECRET + "z" * 5_000_000
        long = [step(n, message="x" * 5_000_000) for n in range(1, 4)]

        texts = Texts(tmp_path, trajectory(*long, step(4, message=hidden)))

        assert SECRET[:6] not in texts.messages[3]["content"]

    def test_deep_arguments_become_texts(self, tmp_path: Path) -> None:
        """Values deep in arguments become texts, as readers refuse deep ones."""
        deep: Any = "end"
        for _ in range(90):
            deep = [deep]

        texts = Texts(tmp_path, trajectory(step(1, tool_calls=[call("c", "try", deep=deep)])))

        value, levels = texts.messages[0]["tool_calls"][0]["arguments"]["deep"], 0
        while isinstance(value, list):
            (value,), levels = value, levels + 1
        assert levels < 60
        assert "end" in value
