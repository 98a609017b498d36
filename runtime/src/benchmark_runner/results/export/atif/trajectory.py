"""The trajectories of an attempt in the ATIF format, with its grade and all else that is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import JsonValue

from benchmark_runner._json import without_nulls
from benchmark_runner._spend import known_amount, known_cost, known_count, known_tokens
from benchmark_runner.artifacts.task_files import TaskFiles
from benchmark_runner.results.export.attempts import Attempt
from benchmark_runner.results.run_view import RunView
from benchmark_runner.results.task_row import TaskRow, row_as_json, with_time_zone
from benchmark_runner.schemas import Artifact, GenerationResult, TokenUsage
from benchmark_runner.trajectory import (
    Agent,
    FinalMetrics,
    Metrics,
    Step,
    Trajectory,
)
from benchmark_runner.trajectory.atif import add_to_totals
from benchmark_runner.trajectory.parts import join_parts

__all__ = ["EXTRA", "attempt_facts", "made_trajectory", "whole_trajectory"]

#: In the ``extra`` of a trajectory: what the run knows of it.
EXTRA = "benchmark_runner"
_MADE = "Made of the question and the answer: the agent has left no trajectory."
_CUT = "Not all of the agent's trajectory can be read."
_OF_CONFIG = ("model", "dataset_name", "dataset_version", "dataset_version_id", "payload_schema")
_OF_GENERATION = ("generation_version", "runner_commit", "runner_dirty", "stop_reason", "imported")


def attempt_facts(
    view: RunView, attempt: Attempt, row: TaskRow, task: TaskFiles
) -> dict[str, JsonValue]:
    """Return what is known of an attempt, by the names of the other exports."""
    facts: dict[str, JsonValue] = {
        "run_id": view.run_id,
        "benchmark": view.runner.NAME,
        "task_id": attempt.key.task_id,
        "repeat": attempt.key.repeat,
        "attempt": attempt.number,
        "is_current": attempt.is_current,
        **{name: getattr(view.config, name) for name in _OF_CONFIG},
    }
    if attempt.generation is not None:
        facts |= without_nulls(_generation_facts(attempt.generation))
    if attempt.is_current:
        facts |= without_nulls(row_as_json(row))
        if not row.stale_eval and task.evaluation is not None:
            facts["result"] = task.evaluation.result_json()
    return without_nulls(facts)


def _generation_facts(generation: GenerationResult) -> dict[str, JsonValue]:
    failure, artifact = generation.failure, generation.artifact
    started, ended = map(with_time_zone, (generation.started_at, generation.ended_at))
    tokens = known_tokens(generation)
    return {
        "generation_status": str(generation.status),
        "kind": str(failure.kind) if failure else None,
        "error": generation.error,
        "retryable": failure.retryable if failure else None,
        "total_turns": known_count(generation.total_turns),
        **{f"{name}_tokens": count for name, count in tokens.items()},
        "cost": known_cost(generation),
        "generation_seconds": known_amount(generation.duration),
        "started_at": started.isoformat() if started else None,
        "ended_at": ended.isoformat() if ended else None,
        "model": generation.model,
        **{name: getattr(generation, name) for name in _OF_GENERATION},
        "answer": generation.data or None,
        "artifact": artifact.model_dump() if isinstance(artifact, Artifact) else None,
        "metadata": generation.metadata or None,
    }


def whole_trajectory(
    trajectory: Trajectory, attempt: Attempt, facts: Mapping[str, JsonValue]
) -> Trajectory:
    """Return what an agent has recorded as one document, with the facts of its attempt.

    What continues it, and its subagents, are part of it, so that no reference leads to a file.
    """
    join_parts(trajectory)
    generation, agent = attempt.generation, trajectory.agent
    if not trajectory.steps and generation is not None:
        trajectory.steps = [*_steps_of(generation)]
    agent.name = agent.name or str(facts["benchmark"])
    agent.version = agent.version or _version(generation)
    agent.model_name = agent.model_name or (generation.model if generation else None)
    notes = [trajectory.notes, _CUT if trajectory.is_cut else None]
    trajectory.notes = "\n".join(filter(None, notes)) or None
    before = (trajectory.extra or {}).get(EXTRA)
    own: dict[str, JsonValue] = {**facts, **({"before": before} if before else {})}
    trajectory.extra = {**(trajectory.extra or {}), EXTRA: own}
    return trajectory


def made_trajectory(
    generation: GenerationResult | None, facts: Mapping[str, JsonValue], unread: Sequence[Path]
) -> Trajectory:
    """Return a trajectory of a question and its answer."""
    steps = [*_steps_of(generation)] if generation is not None else []
    if not steps:
        steps = [Step(message="Neither the question nor the answer is known.")]
    notes = f"{_MADE} {_CUT}" if unread else _MADE
    totals = FinalMetrics(total_steps=len(steps))
    for step in steps:
        if step.metrics is not None:
            add_to_totals(totals, step.metrics)
    return Trajectory(
        agent=Agent(
            name=str(facts["benchmark"]),
            version=_version(generation),
            model_name=generation.model if generation else None,
        ),
        steps=steps,
        notes=notes,
        final_metrics=totals,
        extra={EXTRA: {**facts}},
    )


def _version(generation: GenerationResult | None) -> str:
    return (generation.generation_version if generation else None) or "unknown"


def _steps_of(generation: GenerationResult) -> Iterator[Step]:
    started, ended = map(with_time_zone, (generation.started_at, generation.ended_at))
    if generation.question:
        at = started.isoformat() if started else None
        yield Step(source="user", message=generation.question, timestamp=at)
    at = ended.isoformat() if ended else None
    answer, artifact = generation.data, generation.artifact
    if not answer and isinstance(artifact, Artifact):
        answer = f"[file: {artifact.filename}]"
    usage = TokenUsage(**known_tokens(generation))
    cost = known_cost(generation)
    if answer or usage != TokenUsage() or cost is not None:
        known = usage != TokenUsage() or cost is not None
        yield Step(
            source="agent",
            message=answer,
            timestamp=at,
            metrics=Metrics.from_usage(usage, cost) if known else None,
            llm_call_count=known_count(generation.total_turns) or None,
        )
    if generation.error:
        yield Step(message=f"Error: {generation.error}", timestamp=at)
