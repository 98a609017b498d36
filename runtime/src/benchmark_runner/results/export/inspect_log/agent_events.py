"""The events of agents: their turns, calls of tools, and subagents."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from posixpath import relpath

from pydantic import JsonValue

from benchmark_runner._text import plural
from benchmark_runner.results.export.inspect_log.conversation import (
    Call,
    Conversation,
    Message,
    Turn,
    text_in,
)
from benchmark_runner.results.export.inspect_log.events import EventList
from benchmark_runner.results.export.inspect_log.texts import SampleTextLimit
from benchmark_runner.results.export.inspect_log.usage import model_usage
from benchmark_runner.trajectory import Trajectory, time_of

__all__ = ["MOST_STEPS", "AgentEvents", "name_of_file"]

#: Inspect holds for each call of a model all messages before it, so its memory grows with the
#: square of their number: half a gigabyte for these.
MOST_STEPS = 5_000
_MOST_AGENTS, _MOST_LEVELS = 200, 20
#: Names of tools in all turns together: each turn has those of its agent.
_MOST_TOOL_NAMES = 20_000
_LOGS = "agent_logs"


class AgentEvents:
    """The events of the agents of a sample, each of which is a span.

    Args:
        events: Where they are added.
        limit: The limit of the sample's texts.
        model: The model of agents that name none.
        uuid: The id of the sample.
    """

    def __init__(self, events: EventList, limit: SampleTextLimit, model: str, uuid: str) -> None:
        self.events = events
        self._limit, self._model, self._uuid = limit, model, uuid
        self._steps = self._tool_names = self._agents = 0
        self._has_left_out = False

    def add(
        self,
        trajectory: Trajectory,
        path: Path | None,
        conversation: Conversation | None = None,
        level: int = 0,
        then: Callable[[], None] | None = None,
    ) -> str | None:
        """Add the trajectory of an agent, and return the id of its span; ``None`` if too many.

        Args:
            trajectory: The trajectory.
            path: Its file; ``None`` for that of a subagent in the same file.
            conversation: Its conversation, if there is one already.
            level: Number of agents above it.
            then: Adds what else belongs to the end of its span.
        """
        if self._agents >= _MOST_AGENTS or level > _MOST_LEVELS:
            self._leave_out(then)
            return None
        self._agents += 1
        if conversation is None:
            most = max(MOST_STEPS - self._steps, 2)
            name = f"{self._uuid}-{self._agents}"
            conversation = Conversation(trajectory, self._model, self._limit, name, most)
        self._steps += len(conversation.turns)
        agent = trajectory.agent
        about: Message = {"version": agent.version, "notes": trajectory.notes}
        about["file"] = name_of_file(path) if path else None
        about = {key: value for key, value in about.items() if value}
        with self.events.span("agent", agent.name or "agent", about) as span:
            _AgentSpan(self, trajectory, conversation, level).add()
            if trajectory.is_cut:
                self.events.info("trajectory", {"note": "Not all of it can be read."})
            if then is not None:
                then()
        return span

    def _leave_out(self, then: Callable[[], None] | None) -> None:
        if not self._has_left_out:
            self._has_left_out = True
            self.events.info("trajectory", {"note": "There are more agents, which are not shown."})
        if then is not None:
            then()

    def tools_of(self, trajectory: Trajectory) -> list[JsonValue]:
        """Return the tools of an agent, for one of its turns."""
        definitions = trajectory.agent.tool_definitions or ()
        self._tool_names += len(definitions)
        if self._tool_names > _MOST_TOOL_NAMES:
            return []
        return [self._tool(definition) for definition in definitions]

    def _tool(self, definition: dict[str, JsonValue]) -> JsonValue:
        """Return a tool's name and description, from a definition in any provider's form."""
        inner = definition.get("function")
        named = inner if isinstance(inner, dict) else definition
        description = self.events.attached.attach(str(named.get("description") or ""))
        return {"name": str(named.get("name") or "(no name)"), "description": description}


class _AgentSpan:
    """The events within the span of one agent."""

    def __init__(
        self, agents: AgentEvents, trajectory: Trajectory, conversation: Conversation, level: int
    ) -> None:
        self._agents, self._trajectory, self._level = agents, trajectory, level
        self._conversation = conversation
        self._events = agents.events
        self._base = len(self._events.pool)
        self._waiting: dict[str, Trajectory] = {}
        self._subagents = [*(trajectory.subagent_trajectories or ())]
        for below in reversed(self._subagents):
            self._waiting |= dict.fromkeys(_names_of(below, trajectory), below)
        self._done: set[int] = set()
        #: The messages that no call of the model has had as its input yet.
        self._unseen: list[Message] = []
        self._began = False

    def add(self) -> None:
        """Add the events, and those of subagents."""
        messages = self._conversation.messages
        self._events.pool += map(self._events.pooled, messages)
        turns = self._conversation.turns
        ends = [*(turn.before for turn in turns[1:]), len(messages)]
        gap = len(turns) // 2 if self._conversation.left_out else None
        for place, (turn, end) in enumerate(zip(turns, ends, strict=False)):  # none without steps
            if place == gap:
                self._add_gap()
            if not turn.step.is_copied_context:
                self._events.at(time_of(turn.step))
                self._add_turn(turn)
            first = turn.before + (turn.step.source == "agent")
            self._unseen += messages[first:end]
        self._add_unseen({"system", "user"})
        for below in self._subagents:
            self._add_subagent(below)

    def _add_gap(self) -> None:
        left_out = plural(self._conversation.left_out, "step")
        self._events.info("trajectory", {"note": f"{left_out} are left out here."})

    def _add_turn(self, turn: Turn) -> None:
        if turn.message is not None and turn.step.source == "agent":
            # The first ones are its prompt, and shown with the call.
            self._add_unseen({"system"} if self._began else set())
            self._began = True
            if turn.step.llm_call_count == 0:
                self._events.info("agent", {"message": text_in(turn.message)})
            else:
                self._add_call_of_model(turn, turn.message)
        for call in turn.calls:
            self._add_call(call)
        for below in self._referred(turn.subagents):
            self._add_subagent(below)

    def _add_call_of_model(self, turn: Turn, message: Message) -> None:
        step, model = turn.step, message["model"]
        tools = self._agents.tools_of(self._trajectory)
        stop: JsonValue = "tool_calls" if turn.calls else "stop"
        choice: JsonValue = {"message": self._events.pool[self._base + turn.before]}
        output: Message = {"model": model, "choices": [choice | {"stop_reason": stop}]}
        metrics = step.metrics
        if metrics and (usage := model_usage(metrics.usage(), metrics.cost_usd)):
            output["usage"] = usage
        refs: list[JsonValue] = [[self._base, self._base + turn.before]] if turn.before else []
        self._events.add(
            "model",
            model=model,
            input=[],
            input_refs=refs,
            tools=tools,
            tool_choice="auto" if tools else "none",
            config={},
            output=output,
        )

    def _add_call(self, call: Call) -> None:
        below = self._referred(call.subagents)
        attached = self._events.attached
        event: Message = {
            "type": "function",
            "id": call.id,
            "function": call.name,
            "arguments": attached.attach_within(call.arguments),
            "result": attached.attach("\n".join(call.results)),
            "events": [],
        }
        if call.message_id:
            event["message_id"] = call.message_id
        if call.error:
            event["error"] = call.error
        if not below:
            self._events.add("tool", **event)
            return
        with self._events.span("tool", call.name):
            spans = [self._add_subagent(each) for each in below]
            event |= {"agent": below[0].agent.name or "agent", "agent_span_id": spans[0]}
            self._events.add("tool", **event)

    def _add_subagent(self, trajectory: Trajectory) -> str | None:
        if id(trajectory) in self._done:
            return None
        self._done.add(id(trajectory))
        path = trajectory.files[0] if trajectory.files else None
        return self._agents.add(trajectory, path, level=self._level + 1)

    def _referred(self, refs: list[JsonValue]) -> list[Trajectory]:
        """Return the subagents to which references lead, but for those that are there already."""
        found: dict[int, Trajectory] = {}
        for ref in refs:
            for name in _names_in(ref):
                if (below := self._waiting.get(name)) and id(below) not in self._done:
                    found[id(below)] = below
        return [*found.values()]

    def _add_unseen(self, roles: set[str]) -> None:
        """Add the messages of these roles that no event shows, and forget the others."""
        for message in self._unseen:
            if (role := str(message["role"])) in roles:
                self._events.info(role, {"message": text_in(message)})
        self._unseen.clear()


def name_of_file(path: Path) -> str:
    """Return the file of a trajectory as the folder of its task has it."""
    parts = path.parts
    start = len(parts) - parts[::-1].index(_LOGS) - 1 if _LOGS in parts else -1
    return "/".join(parts[start:])


def _names_of(below: Trajectory, above: Trajectory) -> Iterator[str]:
    """Yield the names by which a trajectory may refer to a subagent."""
    yield from filter(None, (below.trajectory_id, below.session_id))
    if below.files and above.files:
        yield relpath(below.files[0], above.files[0].parent)


def _names_in(ref: JsonValue) -> Iterator[str]:
    if isinstance(ref, str):
        yield ref
    elif isinstance(ref, dict):
        for key in ("trajectory_id", "session_id", "trajectory_path"):
            if isinstance(name := ref.get(key), str):
                yield name
