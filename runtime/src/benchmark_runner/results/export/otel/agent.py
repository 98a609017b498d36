"""The spans of a trajectory: the calls of models and tools, and the subagents.

A step has one time. A call of a model lasts from the step before to its own; the calls of tools
that it asks for, whose end no trajectory tells, have no length.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from benchmark_runner._spend import known_amount
from benchmark_runner.results.export.otel.messages import json_of, results_of, said_in
from benchmark_runner.results.export.otel.span import (
    CLIENT,
    INTERNAL,
    Span,
    Texts,
    Window,
    nanoseconds,
    span_of,
)
from benchmark_runner.results.export.otel.trace import Trace, provider_of, usage_attributes
from benchmark_runner.trajectory import (
    ObservationResult,
    Step,
    ToolCall,
    Trajectory,
    failed,
    text_of,
    time_of,
)

__all__ = ["AgentSpans", "window_of"]

#: Trajectories within trajectories are shown down to here.
_DEPTH = 20


def window_of(trajectory: Trajectory, within: Window) -> Window:
    """Return the time of a trajectory; that of what it is part of where it tells none."""
    times = [at for step in trajectory.own_steps if (at := nanoseconds(time_of(step)))]
    return (min(times), max(times)) if times else within


@dataclass(frozen=True, slots=True)
class AgentSpans:
    """The spans below that of an agent.

    Attributes:
        trace: The trace.
        trajectory: What the agent did.
        parent: The id of its span.
        place: Its place in the run, of which the ids of its spans are made.
        window: Its time.
        model: The name of its model, where the trajectory names none.
        depth: The most levels of subagents below it.
    """

    trace: Trace
    trajectory: Trajectory
    parent: str
    place: tuple[object, ...]
    window: Window
    model: str | None
    depth: int = _DEPTH

    def __iter__(self) -> Iterator[Span]:
        """Yield the spans, each before those below it."""
        results, last = self._results(), self.window[0]
        callers: dict[str, str] = {}
        before: list[Step] = []
        for number, step in enumerate(self.trajectory.own_steps, start=1):
            at = max(nanoseconds(time_of(step)) or last, last)
            if step.source == "agent":
                if step.llm_call_count != 0:
                    yield self._chat(step, number, (last, at), before)
                    before = []
                for place, call in enumerate(step.tool_calls or (), start=1):
                    span_id = self._id(number, place)
                    found = results.get((number, place), [])
                    yield self._tool(call, span_id, at, found)
                    callers |= dict.fromkeys(_subagents_of(found), span_id)
            before.append(step)
            last = at
        if self.depth:
            for number, below in enumerate(self.trajectory.subagent_trajectories or (), start=1):
                caller = callers.get(below.trajectory_id or "", self.parent)
                yield from self._subagent(below, caller, number)

    def _results(self) -> Mapping[tuple[int, int], list[ObservationResult]]:
        """Return the results of each call, by its step and its place there.

        A result may come in a later step. Some models use an id again: a result is of the last
        call with its id.
        """
        found: dict[tuple[int, int], list[ObservationResult]] = {}
        named: dict[str, list[ObservationResult]] = {}
        for number, step in enumerate(self.trajectory.own_steps, start=1):
            for place, call in enumerate(step.tool_calls or (), start=1):
                found[number, place] = named[call.tool_call_id] = []
            for result in step.results:
                if (of := named.get(result.source_call_id or "")) is not None:
                    of.append(result)
        return found

    def _chat(self, step: Step, number: int, window: Window, before: list[Step]) -> Span:
        texts = self.trace.texts()
        model = step.model_name or self.trajectory.agent.model_name or self.model
        metrics, effort, session = step.metrics, step.reasoning_effort, self.trajectory.session_id
        shown = texts.short(model) if model else None
        usage = usage_attributes(metrics.usage()) if metrics else {}
        attributes: dict[str, str | float | None] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": provider_of(shown),
            "gen_ai.request.model": shown,
            "gen_ai.request.reasoning.level": texts.short(str(effort)) if effort else None,
            "gen_ai.conversation.id": texts.short(session) if session else None,
            **usage,
            "benchmark_runner.cost": known_amount(metrics.cost_usd) if metrics else None,
            "benchmark_runner.step": step.step_id or number,
        }
        if self.trace.contents:
            # The answer first: if there is too much, it is what came before that is left out.
            answer = json_of([said_in(step, texts)])
            heard = [message for each in before for message in _heard(each, texts)]
            attributes["gen_ai.input.messages"] = json_of(heard)
            attributes["gen_ai.output.messages"] = answer
        ids = (self.trace.trace_id, self._id(number), self.parent)
        return span_of(ids, f"chat {shown}" if shown else "chat", CLIENT, window, attributes)

    def _tool(
        self, call: ToolCall, span_id: str, at: int, results: list[ObservationResult]
    ) -> Span:
        texts = self.trace.texts()
        name = texts.short(call.function_name)
        error = any(map(failed, results))
        attributes: dict[str, str | float | None] = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": name,
            "gen_ai.tool.call.id": texts.short(call.tool_call_id) or None,
            "error.type": "tool_error" if error else None,
        }
        if self.trace.contents:
            result = "\n".join(text_of(each.content) for each in results)
            attributes["gen_ai.tool.call.arguments"] = texts.long(json_of(call.arguments))
            attributes["gen_ai.tool.call.result"] = texts.long(result) if results else None
        return span_of(
            (self.trace.trace_id, span_id, self.parent),
            f"execute_tool {name}".rstrip(),
            INTERNAL,
            (at, at),
            attributes,
            error="The tool reported an error" if error else None,
        )

    def _subagent(self, below: Trajectory, caller: str, number: int) -> Iterator[Span]:
        window, place = window_of(below, self.window), (*self.place, "subagent", number)
        spans = AgentSpans(
            self.trace,
            below,
            self.trace.span_id(*place),
            place,
            window,
            self.trajectory.agent.model_name or self.model,
            self.depth - 1,
        )
        yield spans.own(caller)
        yield from spans

    def own(self, caller: str) -> Span:
        """Return the span of the agent itself, where it is a part of another one's work."""
        described = self.described(self.trace.texts())
        return span_of(
            (self.trace.trace_id, self.parent, caller),
            f"invoke_agent {described['gen_ai.agent.name'] or ''}".rstrip(),
            INTERNAL,
            self.window,
            {"gen_ai.operation.name": "invoke_agent", **described},
        )

    def described(self, texts: Texts) -> dict[str, str | None]:
        """Return the attributes that tell of the agent."""
        agent = self.trajectory.agent
        model, session = agent.model_name or self.model, self.trajectory.session_id
        shown = texts.short(model) if model else None
        return {
            "gen_ai.provider.name": provider_of(shown),
            "gen_ai.agent.name": texts.short(agent.name) or None,
            "gen_ai.agent.version": texts.short(agent.version) or None,
            "gen_ai.request.model": shown,
            "gen_ai.conversation.id": texts.short(session) if session else None,
        }

    def _id(self, *place: int) -> str:
        return self.trace.span_id(*self.place, *place)


def _heard(step: Step, texts: Texts) -> Iterator[JsonValue]:
    """Yield the messages that a step has for the model: an answer of its own is none."""
    if step.source != "agent" and step.message and texts.has_room:
        yield said_in(step, texts)
    yield from results_of(step.results, texts)


def _subagents_of(results: list[ObservationResult]) -> Iterator[str]:
    for result in results:
        refs = result.subagent_trajectory_ref
        for ref in refs if isinstance(refs, list) else [refs]:
            if isinstance(ref, dict) and isinstance(name := ref.get("trajectory_id"), str):
                yield name
