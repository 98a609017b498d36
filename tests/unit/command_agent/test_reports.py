"""What known agents tell of themselves: answer, tokens, cost and turns."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from benchmark_runner import TokenUsage

if TYPE_CHECKING:
    from benchmark_runner import GenerationResult
    from benchmark_runner.command_agent import CommandError, OutputFormat
    from tests.unit.command_agent.conftest import Agent

CLAUDE: dict[str, Any] = {
    "type": "result", "subtype": "success", "is_error": False, "num_turns": 4,
    "result": "42\n", "stop_reason": "end_turn", "total_cost_usd": 0.125,
    "usage": {
        "input_tokens": 10, "output_tokens": 20,
        "cache_creation_input_tokens": 30, "cache_read_input_tokens": 40,
    },
}  # fmt: skip
CODEX: list[dict[str, Any]] = [
    {"type": "thread.started", "thread_id": "t"},
    {"type": "turn.started"},
    {"type": "item.completed", "item": {"id": "0", "type": "agent_message", "text": "Let me see"}},
    {"type": "item.completed", "item": {"id": "1", "type": "command_execution", "exit_code": 1}},
    {"type": "item.completed", "item": {"id": "2", "type": "agent_message", "text": "42"}},
    {
        "type": "turn.completed",
        "usage": {"input_tokens": 100, "cached_input_tokens": 60, "output_tokens": 9},
    },
]
MINI: dict[str, Any] = {
    "info": {
        "model_stats": {"instance_cost": 0.5, "api_calls": 2},
        "exit_status": "Submitted",
        "submission": "42\n",
    },
    "messages": [
        {"role": "user", "content": "q"},
        *(
            {"role": "assistant", "extra": {"response": {"usage": usage}}}
            for usage in (
                {"prompt_tokens": 10, "completion_tokens": 3},
                {"prompt_tokens": 20, "completion_tokens": 4},
            )
        ),
    ],
    "trajectory_format": "mini-swe-agent-1.1",
}


def printing(lines: object, code: int = 0) -> str:
    each = lines if isinstance(lines, list) else [lines]
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in each)
    return f"print({text!r}); sys.exit({code})"


def told(agent: Agent, output: OutputFormat, lines: object, code: int = 0) -> GenerationResult:
    return agent.run(printing(lines, code), output=output)


def failed(agent: Agent, output: OutputFormat, lines: object, code: int = 0) -> CommandError:
    return agent.fail(printing(lines, code), output=output)


class TestClaudeCode:
    @pytest.mark.parametrize(
        "lines",
        [
            CLAUDE,
            ["a warning", CLAUDE],
            [{"type": "system", "subtype": "init"}, {"type": "assistant"}, CLAUDE],
            json.dumps([{"type": "system"}, CLAUDE]),
        ],
        ids=["json", "with a warning", "stream-json", "json of --verbose"],
    )
    def test_the_result_object_is_read(self, agent: Agent, lines: object) -> None:
        """Answer, tokens, cost and turns are those of the result object."""
        result = told(agent, "claude-code", lines)
        assert (result.answer, result.cost, result.total_turns) == ("42", 0.125, 4)
        assert result.usage == TokenUsage(input=10, output=20, cache_read=40, cache_write=30)
        assert result.stop_reason == "end_turn"

    def test_out_of_turns_is_an_outcome(self, agent: Agent) -> None:
        """The limit of turns is an outcome with its cost, though the exit code is 1."""
        limit = CLAUDE | {"subtype": "error_max_turns", "is_error": True}
        result = told(agent, "claude-code", limit, code=1)
        assert (result.status, result.cost, result.total_turns) == ("max_turns", 0.125, 4)

    @pytest.mark.parametrize("code", [0, 1])
    def test_an_error_is_one(self, agent: Agent, code: int) -> None:
        """An error that it reports is one, whatever the exit code, with its cost."""
        error = failed(agent, "claude-code", CLAUDE | {"is_error": True, "result": "no key"}, code)
        assert str(error).endswith(": no key")
        assert (error.result.answer, error.result.cost) == ("", 0.125)

    def test_listed_errors_are_told(self, agent: Agent) -> None:
        """An error without a result tells those that it lists."""
        lines = {"type": "result", "subtype": "error_during_execution", "errors": ["a", "b"]}
        assert str(failed(agent, "claude-code", lines)).endswith("reported an error: a; b")


class TestCodex:
    def test_the_events_are_read(self, agent: Agent) -> None:
        """The answer is the last message; what is not told stays unknown."""
        result = told(agent, "codex", CODEX)
        assert (result.answer, result.cost, result.total_turns) == ("42", None, None)
        assert result.usage == TokenUsage(input=40, output=9, cache_read=60)

    def test_a_failed_turn_is_an_error(self, agent: Agent) -> None:
        """A failed turn is an error with its message."""
        lines = [*CODEX[:3], {"type": "turn.failed", "error": {"message": "quota exceeded"}}]
        assert "quota exceeded" in str(failed(agent, "codex", lines, code=1))

    def test_an_error_that_passed_is_none(self, agent: Agent) -> None:
        """An error after which the turn was completed, such as a lost connection, is none."""
        lines = [{"type": "error", "message": "reconnecting 1/5"}, *CODEX]
        assert told(agent, "codex", lines).answer == "42"


class TestMiniSweAgent:
    @staticmethod
    def program(content: str, code: int = 0) -> str:
        return f"open(sys.argv[1], 'w').write({content!r}); sys.exit({code})"

    def run(self, agent: Agent, content: str) -> GenerationResult:
        return agent.run(self.program(content), "{report_file}", output="mini-swe-agent")

    def test_its_trajectory_is_read(self, agent: Agent) -> None:
        """Answer, tokens, cost and calls are those of its trajectory."""
        result = self.run(agent, json.dumps(MINI))
        assert (result.answer, result.cost, result.total_turns) == ("42", 0.5, 2)
        assert result.usage == TokenUsage(input=30, output=7)

    def test_its_limits_are_outcomes(self, agent: Agent) -> None:
        """A limit that it reached is an outcome."""
        info = MINI["info"] | {"exit_status": "LimitsExceeded", "submission": ""}
        result = self.run(agent, json.dumps(MINI | {"info": info}))
        assert (result.status, result.stop_reason) == ("max_turns", "LimitsExceeded")

    def test_a_torn_file_tells_what_it_has(self, agent: Agent) -> None:
        """A file that was being written tells what is in it, as after a kill."""
        content = json.dumps(MINI)[:-200]
        program = f"open(sys.argv[1], 'w').write({content!r}); time.sleep(1000)"
        result = agent.run(program, "{report_file}", output="mini-swe-agent", timeout=1)
        assert (result.status, result.answer, result.cost) == ("max_time", "42", 0.5)

    def test_unknown_tokens_stay_unknown(self, agent: Agent) -> None:
        """A class that one call does not tell is unknown in the sum."""
        messages = [*MINI["messages"], {"extra": {"response": {"usage": {"prompt_tokens": 5}}}}]
        result = self.run(agent, json.dumps(MINI | {"messages": messages}))
        assert result.usage == TokenUsage(input=35)


@pytest.mark.parametrize("output", ["claude-code", "codex", "mini-swe-agent"])
@pytest.mark.parametrize(
    "lines",
    [
        "no JSON",
        "{",
        "[1, 2]",
        "{}",
        "[" * 5000,
        {"type": "result", "usage": 7, "total_cost_usd": "1", "num_turns": -4, "result": 42},
        {"type": "result", "total_cost_usd": 1e99, "usage": {"input_tokens": True}},
        [{"type": "turn.completed", "usage": None}, {"type": "item.completed", "item": []}],
    ],
)
def test_other_output_tells_nothing(agent: Agent, output: OutputFormat, lines: object) -> None:
    """Output of another form gives no answer, and no false number."""
    result = failed(agent, output, lines).result
    assert (result.answer, result.cost, result.total_turns) == ("", None, None)
    assert not any(count for _, count in result.usage or ())
