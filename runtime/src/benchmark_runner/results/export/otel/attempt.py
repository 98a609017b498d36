"""The spans of an attempt: that of the agent, with the grade, and those of what it called."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import JsonValue

from benchmark_runner._spend import known_amount, known_cost, known_count, known_tokens
from benchmark_runner.artifacts.task_files import TaskFiles
from benchmark_runner.results.export.attempts import Attempt
from benchmark_runner.results.export.otel.agent import AgentSpans, window_of
from benchmark_runner.results.export.otel.messages import json_of, message_of
from benchmark_runner.results.export.otel.span import (
    INTERNAL,
    Attributes,
    Span,
    Texts,
    Window,
    error_type,
    event_of,
    nanoseconds,
    span_of,
)
from benchmark_runner.results.export.otel.trace import Trace, provider_of, usage_attributes
from benchmark_runner.results.run_view import RunView
from benchmark_runner.results.task_repeats import Outcome
from benchmark_runner.results.task_row import TaskRow, TaskState, with_time_zone
from benchmark_runner.schemas import GenerationResult, GenerationStatus, TokenUsage
from benchmark_runner.trajectory import Trajectory
from benchmark_runner.trajectory.parts import join_parts

__all__ = ["AttemptSpans"]

_GRADED = frozenset(
    {TaskState.SCORED, TaskState.TIMED_OUT, TaskState.OUT_OF_TURNS, TaskState.DID_NOT_COMPLETE}
)
_SAMPLING = ("max_tokens", "temperature", "top_p", "top_k")


@dataclass(frozen=True, slots=True)
class AttemptSpans:
    """The spans of one attempt.

    Attributes:
        view: The run.
        trace: Its trace.
        attempt: The attempt.
        row: The repeat of the task, of which it may be the current one.
        outcome: The outcome of that.
        task_score: The score of the task.
        task: Its files.
        began: The time the run began, for an attempt of which no time is known.
    """

    view: RunView
    trace: Trace
    attempt: Attempt
    row: TaskRow
    outcome: Outcome
    task_score: float | None
    task: TaskFiles
    began: int

    def __iter__(self) -> Iterator[Span]:
        """Yield the span of the agent, and those below it."""
        found = [trajectory for _, trajectory in self.attempt.read().read]
        for trajectory in found:
            join_parts(trajectory)
        key = self.attempt.key
        place = (key.task_id, key.repeat, self.attempt.number)
        own, window = self.trace.span_id(*place), self._window(found)
        generation = self.attempt.generation
        model = (generation.model if generation else None) or self.view.config.model
        if not found:
            yield self._own(own, window, model, None)
        for number, each in enumerate(found):
            below = (*place, "agent", number)
            if number == 0:
                spans = AgentSpans(self.trace, each, own, below, window, model)
                yield self._own(own, window, model, spans)
            else:
                other, when = self.trace.span_id(*below), window_of(each, window)
                spans = AgentSpans(self.trace, each, other, below, when, model)
                yield spans.own(own)
            yield from spans

    def _window(self, found: list[Trajectory]) -> Window:
        """Return the time of the attempt, from its generation or else its trajectories."""
        generation = self.attempt.generation
        start = nanoseconds(with_time_zone(generation.started_at)) if generation else None
        end = nanoseconds(with_time_zone(generation.ended_at)) if generation else None
        seconds = known_amount(generation.duration) if generation else None
        if start is None and end is not None and seconds is not None:
            start = max(end - int(seconds * 1e9), 1)
        known = [window_of(each, (0, 0)) for each in found]
        steps = [each for each in known if each[0]]
        if start is None:
            start = min((each[0] for each in steps), default=end or self.began)
        if end is None:
            end = max((each[1] for each in steps), default=start)
        return start, max(start, end)

    def _own(self, span_id: str, window: Window, model: str, agent: AgentSpans | None) -> Span:
        texts, generation = self.trace.texts(), self.attempt.generation
        failure = generation.failure if generation else None
        status = generation.status if generation else None
        error = texts.short((generation.error if generation else None) or "There is no result")
        is_error = status in (None, GenerationStatus.ERROR)
        described = agent.described(texts) if agent else {}
        name = described.get("gen_ai.agent.name") or self.view.runner.NAME
        shown = texts.short(model)
        attributes = {
            "gen_ai.operation.name": "invoke_agent",
            **described,
            "gen_ai.provider.name": provider_of(shown),
            "gen_ai.agent.name": name,
            "gen_ai.request.model": shown,
            **self._sampling(),
            "error.type": error_type(error, failure and failure.kind) if is_error else None,
            **self._facts(generation),
            **(self._contents(texts, agent) if self.trace.contents else {}),
        }
        return span_of(
            (self.trace.trace_id, span_id, self.trace.root),
            f"invoke_agent {name}",
            INTERNAL,
            window,
            attributes,
            error=error if is_error else None,
            events=[*self._grade(texts, window[1])],
        )

    def _facts(self, generation: GenerationResult | None) -> Attributes:
        key = self.attempt.key
        tokens = known_tokens(generation) if generation else {}
        return {
            **usage_attributes(TokenUsage(**tokens)),
            "benchmark_runner.task.id": key.task_id,
            "benchmark_runner.repeat": key.repeat,
            "benchmark_runner.attempt": self.attempt.number,
            "benchmark_runner.is_current": self.attempt.is_current,
            "benchmark_runner.state": self.row.state if self.attempt.is_current else None,
            "benchmark_runner.task_score": self.task_score if self.attempt.is_current else None,
            "benchmark_runner.generation_status": generation.status if generation else None,
            "benchmark_runner.turns": known_count(generation.total_turns) if generation else None,
            "benchmark_runner.cost": known_cost(generation) if generation else None,
        }

    def _sampling(self) -> Attributes:
        found: dict[str, str | float | None] = {}
        sampling = self.view.config.sampling
        for name in _SAMPLING:
            value = sampling.get(name)
            if isinstance(value, int | float):
                found[f"gen_ai.request.{name}"] = value
        if isinstance(effort := sampling.get("reasoning_effort"), str):
            found["gen_ai.request.reasoning.level"] = effort
        return found

    def _contents(self, texts: Texts, agent: AgentSpans | None) -> Attributes:
        generation = self.attempt.generation
        question, answer = (generation.question, generation.data) if generation else (None, None)
        shown = [message_of("user", question, texts)] if question else []
        given = [message_of("assistant", answer, texts)] if answer else []
        tools = agent.trajectory.agent.tool_definitions if agent else None
        return {
            "gen_ai.input.messages": json_of(shown) if shown else None,
            "gen_ai.output.messages": json_of(given) if given else None,
            "gen_ai.tool.definitions": texts.long(json_of(tools)) if tools else None,
        }

    def _grade(self, texts: Texts, at: int) -> Iterator[JsonValue]:
        """Yield the grade of the current attempt, or the error that it has in its place."""
        row = self.row
        if not self.attempt.is_current:
            return
        result = self.task.evaluation
        shows = self.trace.contents and result is not None and not row.stale_eval
        explanation = texts.long(self.task.result_text or "") if shows else None
        graded: dict[str, str | float | None] = {
            "gen_ai.evaluation.name": self.view.runner.NAME,
            "gen_ai.evaluation.explanation": explanation or None,
        }
        if row.state in _GRADED:
            graded["gen_ai.evaluation.score.value"] = (
                None if row.score is None else float(row.score)
            )
            graded["gen_ai.evaluation.score.label"] = self.outcome.text
        elif row.state is TaskState.FAILED_GRADING:
            error = texts.short(row.error or "")
            graded["error.type"] = error_type(error, row.kind)
            graded["benchmark_runner.error"] = error
        else:
            return
        yield event_of("gen_ai.evaluation.result", at, graded)
