"""The conversation of an agent, of its trajectory's steps, as Inspect's chat messages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from pydantic import JsonValue

from benchmark_runner.results.export.inspect_log.texts import SampleTextLimit
from benchmark_runner.trajectory import ObservationResult, Step, Trajectory, failed

__all__ = ["Call", "Conversation", "Message", "Turn", "assistant_message", "text_in"]

Message = dict[str, JsonValue]


@dataclass(slots=True)
class Call:
    """A call of a tool, and its result, which a later step may hold.

    Attributes:
        id: An id that no other call of the conversation has.
        name: The tool.
        arguments: Its arguments.
        results: What it returned, mostly in one piece.
        error: The error of one that failed.
        message_id: The id of the message with its result; ``None`` if there is none.
        subagents: The references of the result to trajectories of subagents.
    """

    id: str
    name: str
    arguments: dict[str, JsonValue]
    results: list[str] = field(default_factory=list[str])
    error: Message | None = None
    message_id: str | None = None
    subagents: list[JsonValue] = field(default_factory=list[JsonValue])

    @property
    def as_json(self) -> Message:
        """The call as a message has it."""
        return {
            "id": self.id,
            "function": self.name,
            "arguments": self.arguments,
            "type": "function",
        }


@dataclass(slots=True)
class Turn:
    """A step, with what it adds to the conversation.

    Attributes:
        step: The step.
        before: Number of messages before it.
        message: The message of the step; ``None`` if it has none.
        calls: The calls that it asks for.
        subagents: References to subagents that belong to no call.
    """

    step: Step
    before: int
    message: Message | None = None
    calls: list[Call] = field(default_factory=list[Call])
    subagents: list[JsonValue] = field(default_factory=list[JsonValue])


class Conversation:
    """The messages of a trajectory, and the turns that they come from.

    Args:
        trajectory: The trajectory.
        model: The model of turns that name none.
        limit: The limit of the texts of its sample.
        name: Stands before the number of each message in its id.
        most: Number of steps; of more, those in the middle are left out.
    """

    def __init__(
        self, trajectory: Trajectory, model: str, limit: SampleTextLimit, name: str, most: int
    ) -> None:
        self.messages: list[Message] = []
        self.turns: list[Turn] = []
        self.left_out = max(len(trajectory.steps) - most, 0)
        self._model = trajectory.agent.model_name or model
        self._limit = limit
        self._name = name
        #: The last call with each id: some models use one again.
        self._calls: dict[str, Call] = {}
        self._count = 0
        for step in self._kept(trajectory.steps):
            self._add(step)

    @property
    def last_message(self) -> Message | None:
        """The last message of the agent that has a text."""
        found = (m for m in reversed(self.messages) if m["role"] == "assistant" and text_in(m))
        return next(found, None)

    def _kept(self, steps: list[Step]) -> Iterator[Step]:
        head = (len(steps) - self.left_out) // 2
        yield from steps[:head]
        yield from steps[head + self.left_out :]

    def _add(self, step: Step) -> None:
        turn = Turn(step, len(self.messages))
        self.turns.append(turn)
        if step.source == "agent":
            turn.calls = [self._call(call.tool_call_id) for call in step.tool_calls or ()]
            for call, given in zip(turn.calls, step.tool_calls or (), strict=True):
                call.name = given.function_name or "(no name)"
                call.arguments = self._limit.arguments(given.arguments)
            turn.message = self._of_agent(step, turn.calls)
        elif text := self._limit.text(step.message):
            role = "user" if step.source == "user" else "system"
            turn.message = self._message(role, text)
        for result in step.results:
            self._add_result(turn, result)

    def _call(self, given: str) -> Call:
        self._count += 1
        own = given if given and given not in self._calls else f"{given or 'call'}-{self._count}"
        call = Call(own, "", {})
        self._calls[given] = call
        return call

    def _of_agent(self, step: Step, calls: list[Call]) -> Message:
        text, reasoning = self._limit.text(step.message), self._limit.text(step.reasoning_content)
        message = self._message("assistant", _content(text, reasoning))
        message["source"] = "generate"
        message["model"] = step.model_name or self._model
        if calls:
            message["tool_calls"] = [call.as_json for call in calls]
        return message

    def _add_result(self, turn: Turn, result: ObservationResult) -> None:
        text, refs = self._limit.text(result.content), _refs(result)
        call = self._calls.get(result.source_call_id or "") if result.source_call_id else None
        if call is None:
            turn.subagents += refs
            if text:
                self._message("user", text)
            return
        message = self._message("tool", text)
        message |= {"tool_call_id": call.id, "function": call.name}
        if failed(result):
            reason = self._limit.reason(text) or "The call failed."
            message["error"] = call.error = {"type": "unknown", "message": reason}
        call.results.append(text)
        call.subagents += refs
        call.message_id = call.message_id or str(message["id"])

    def _message(self, role: str, content: JsonValue) -> Message:
        message: Message = {"id": f"{self._name}-{len(self.messages) + 1}"}
        message |= {"role": role, "content": content}
        self.messages.append(message)
        return message


def assistant_message(answer: str, model: str, name: str) -> Message:
    """Return an answer as a message."""
    about: Message = {"id": f"{name}-answer", "role": "assistant", "content": answer}
    return about | {"source": "generate", "model": model}


def text_in(message: Message) -> str:
    """Return the text of a message, without the reasoning."""
    content = message["content"]
    parts = content if isinstance(content, list) else [{"text": content}]
    return "\n".join(
        text
        for part in parts
        if isinstance(part, dict) and isinstance(text := part.get("text"), str) and text
    )


def _content(text: str, reasoning: str) -> JsonValue:
    if not reasoning:
        return text
    thought: JsonValue = {"type": "reasoning", "reasoning": reasoning}
    return [thought, {"type": "text", "text": text}] if text else [thought]


def _refs(result: ObservationResult) -> list[JsonValue]:
    refs = result.subagent_trajectory_ref
    return refs if isinstance(refs, list) else [refs] if refs is not None else []
