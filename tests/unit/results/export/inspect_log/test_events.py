"""The events of a sample: the transcript that Inspect shows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.unit.results.export.inspect_log.trajectory_texts import Texts
from tests.unit.results.report.agents import (
    call,
    delegating,
    hostile,
    long,
    put,
    result,
    step,
    trajectory,
    usual,
)

if TYPE_CHECKING:
    from pathlib import Path

SCORES = {"evaluation": {"value": 1.0}}


class TestOrder:
    def test_events_of_an_agent(self, tmp_path: Path) -> None:
        """The agent is a span of the solvers, and the score one of the scorers."""
        assert Texts(tmp_path, usual(), scores=SCORES).tree() == [
            "init init",
            "  sample_init",
            "solvers solvers",
            "  agent my-agent",
            "    model",
            "    function search",
            "    function run_python",
            "    model",
            "    function run_python",
            "    model",
            "scorers scorers",
            "  scorer evaluation",
            "    score",
        ]

    def test_subagents(self, tmp_path: Path) -> None:
        """A subagent is a span within the call that refers to it, or else at the end."""
        content = delegating()
        lone = trajectory(step(1, message="On my own."), name="lone")
        content["subagent_trajectories"].append(lone)
        helper = trajectory(step(1, message="Nobody asked me."), name="helper")
        put(tmp_path / "agent_logs", helper, "helpers/trajectory.json")

        assert Texts(tmp_path, content).tree()[3:] == [
            "  agent my-agent",
            "    model",
            "    tool delegate",
            "      agent finder",
            "        model",
            "        agent deepest",
            "          model",
            "      agent helper",
            "        model",
            "      function delegate",
            "    model",
            "    agent lone",
            "      model",
        ]

    def test_several_trajectories(self, tmp_path: Path) -> None:
        """Each trajectory of a generation is an agent, named with its file."""
        other = trajectory(step(1, message="I, too."), name="other")

        spans = [
            (event["name"], event["metadata"]["file"])
            for event in Texts(tmp_path, usual(), other).of("span_begin")
            if event["type"] == "agent"
        ]

        assert spans == [
            ("my-agent", "agent_logs/trajectory.json"),
            ("other", "agent_logs/2/trajectory.json"),
        ]

    @pytest.mark.parametrize(
        ("given", "kind"),
        [
            ({"limit": {"type": "time", "limit": 3.0, "reason": "no answer"}}, "sample_limit"),
            ({"error": {"message": "E: no", "traceback": "", "traceback_ansi": ""}}, "error"),
        ],
    )
    def test_outcome_stands_at_the_end(
        self, tmp_path: Path, given: dict[str, object], kind: str
    ) -> None:
        """The limit or the error that ended a generation is the last event of its agent."""
        for name, content in (("with", [usual()]), ("without", [])):
            folder = tmp_path / name
            folder.mkdir()

            tree = Texts(folder, *content, scores=SCORES, **given).tree()

            line = next(line for line in tree if line.strip().startswith((kind, "time")))
            assert tree[tree.index(line) + 1] == "scorers scorers"

    def test_outcome_of_too_many_agents(self, tmp_path: Path) -> None:
        """The outcome is there however many agents there are."""
        many = [trajectory(step(1, message="I."), name=f"a{n}") for n in range(230)]

        texts = Texts(tmp_path, *many, error={"message": "E: no"})

        assert len(texts.of("error")) == 1
        assert len([1 for each in texts.of("span_begin") if each["type"] == "agent"]) == 200
        assert {"note": "There are more agents, which are not shown."} in texts.notes()


class TestTurns:
    def test_input_is_what_came_before(self, tmp_path: Path) -> None:
        """The input of a turn is the conversation before it, which is written once."""
        texts = Texts(tmp_path, usual())

        inputs = [texts.input_of(event) for event in texts.of("model")]
        assert [len(each) for each in inputs] == [2, 5, 7]
        assert len(texts.pool) == 8
        assert inputs[0][1]["content"] == texts.messages[1]["content"]

    def test_output_and_tokens(self, tmp_path: Path) -> None:
        """The output of a turn is its message, with its tokens and its cost."""
        first, second, last = (event["output"] for event in Texts(tmp_path, usual()).of("model"))

        assert [each["choices"][0]["stop_reason"] for each in (first, second, last)] == [
            "tool_calls", "tool_calls", "stop",
        ]  # fmt: skip
        assert first["usage"]["input_tokens"] == 1000
        assert first["usage"]["total_cost"] == 0.0123
        assert "usage" not in last

    @pytest.mark.parametrize("cost", [float("nan"), float("inf"), -0.5])
    def test_impossible_cost(self, tmp_path: Path, cost: float) -> None:
        """A cost that can't be is left out, and so are tokens if nothing else is known."""
        turn = step(1, message="6", metrics={"cost_usd": cost})

        (event,) = Texts(tmp_path, trajectory(turn)).of("model")
        assert "usage" not in event["output"]

    def test_calls_have_results_of_later_steps(self, tmp_path: Path) -> None:
        """A call has its result, which a later step may hold, and the error if it failed."""
        calls = Texts(tmp_path, usual()).of("tool")

        assert [each["result"] for each in calls] == [
            "Heron's formula", "ValueError: math domain error", "6.0",
        ]  # fmt: skip
        assert ["error" in each for each in calls] == [False, True, False]
        assert calls[1]["arguments"]["code"].startswith("def area(a, b, c):\n")

    @pytest.mark.parametrize("wrapped", [True, False])
    def test_tools_of_any_form(self, tmp_path: Path, wrapped: bool) -> None:
        """The tools of the agent are named, in whatever form their definitions are."""
        tool = {"name": "search", "description": "Search the web.", "input_schema": {"type": 1}}
        content = usual()
        content["agent"]["tool_definitions"] = [{"function": tool} if wrapped else tool]

        (tools, *_) = (event["tools"] for event in Texts(tmp_path, content).of("model"))

        assert tools == [{"name": "search", "description": "Search the web."}]

    def test_copied_steps_are_no_turns(self, tmp_path: Path) -> None:
        """A step that was copied from an earlier trajectory is input, and no turn."""
        copied = step(1, message="Before.", is_copied_context=True)

        texts = Texts(tmp_path, trajectory(copied, step(2, message="After.")))

        (event,) = texts.of("model")
        assert [each["content"] for each in texts.input_of(event)] == ["Before."]

    def test_step_without_a_model(self, tmp_path: Path) -> None:
        """A turn that called no model is a note."""
        texts = Texts(tmp_path, trajectory(step(1, message="By rule.", llm_call_count=0)))

        assert texts.of("model") == []
        assert {"message": "By rule."} in texts.notes()


class TestNotes:
    def test_messages_that_no_turn_shows(self, tmp_path: Path) -> None:
        """Messages of the system after the first turn, and those at the end, are notes."""
        texts = Texts(
            tmp_path,
            trajectory(
                step(1, "system", "The prompt."),
                step(2, message="I begin."),
                step(3, "system", "A warning."),
                step(4, message="I go on."),
                step(5, "user", "Wait."),
            ),
        )

        assert texts.notes() == [{"message": "A warning."}, {"message": "Wait."}]

    def test_earlier_attempts(self, tmp_path: Path) -> None:
        """Earlier attempts are named with their errors, before the agent."""
        texts = Texts(tmp_path, usual(), error_retries=[{"message": "E: no"}])

        assert texts.notes()[0] == {"attempt": 1, "error": "E: no"}
        assert texts.tree()[3] == "  info"

    def test_what_can_not_be_read(self, tmp_path: Path) -> None:
        """A trajectory that was cut, and a file that is none, are named."""
        folder = tmp_path / "agent_logs"
        put(folder, {}, "3/trajectory.json")
        text = json.dumps(usual())
        put(folder, {}).write_text(text[: len(text) // 2])

        notes = Texts(tmp_path).notes()

        assert notes[0]["files"] == ["agent_logs/3/trajectory.json"]
        assert {"note": "Not all of it can be read."} in notes

    def test_no_trajectory(self, tmp_path: Path) -> None:
        """Without a trajectory a note says so, with the answer."""
        note = "The agent recorded no trajectory."

        assert Texts(tmp_path, answer="six").notes() == [{"answer": "six", "note": note}]

    def test_trajectory_without_steps(self, tmp_path: Path) -> None:
        """An agent that was killed before its first step has its span, and nothing in it."""
        texts = Texts(tmp_path, trajectory())

        assert "agent" in str(texts.tree())
        assert texts.of("model") == []

    def test_many_steps_are_left_out(self, tmp_path: Path) -> None:
        """Of more than five thousand steps those in the middle are left out, and counted."""
        texts = Texts(
            tmp_path, trajectory(*({"source": "agent", "message": str(n)} for n in range(5_007)))
        )

        assert len(texts.of("model")) == 5_000
        assert {"note": "7 steps are left out here."} in texts.notes()


class TestForm:
    def test_long_texts_are_written_once(self, tmp_path: Path) -> None:
        """A long text of several events is written once beside the messages."""
        text = "a long text " * 50
        seen = {"results": [result("c", text)]}
        turn = step(1, tool_calls=[call("c", "read", path=text)], observation=seen)

        texts = Texts(tmp_path, trajectory(turn, step(2, message=text)))

        assert text not in json.dumps([texts.events, texts.pool])
        assert [*texts.attachments.values()] == [text]
        assert texts.of("tool")[0]["result"] == texts.of("tool")[0]["arguments"]["path"] == text

    def test_times(self, tmp_path: Path) -> None:
        """An event has the time of its step, and one that can't be a time is passed over."""
        content = trajectory(
            step(1, message="One."),
            {**step(2, message="Two."), "timestamp": "0001-01-01T00:00:00+14:00"},
            {**step(3, message="Three."), "timestamp": "yesterday"},
            step(4, message="Four."),
        )

        found = Texts(tmp_path, content, started_at="2026-05-04T03:02:00+00:00").of("model")

        assert len({event["timestamp"] for event in found}) == 2
        assert [event["working_start"] for event in found] == [1.0, 1.0, 1.0, 22.0]

    @pytest.mark.parametrize("make", [usual, delegating, hostile, lambda: long(50)])
    def test_ids_and_spans_are_sound(self, tmp_path: Path, make: object) -> None:
        """Each event has an id of its own, and lies in a span that has begun and not ended."""
        assert callable(make)
        events = Texts(tmp_path, make(), scores=SCORES).events

        assert len({event["uuid"] for event in events}) == len(events)
        open_spans: list[str] = []
        for event in events:
            if event["event"] == "span_begin":
                assert event.get("parent_id") == (open_spans[-1] if open_spans else None)
                open_spans.append(event["id"])
            assert event.get("span_id") == (open_spans[-1] if open_spans else None)
            if event["event"] == "span_end":
                assert open_spans.pop() == event["id"]
        assert open_spans == []
