"""One repeat of a task: a sample of a log, and the summary of it in lists."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from benchmark_runner._json import without_nulls
from benchmark_runner.results.export.inspect_log.failures import (
    error_retries,
    generation_error,
    sample_limit,
)
from benchmark_runner.results.export.inspect_log.messages import SampleTexts
from benchmark_runner.results.export.inspect_log.names import SCORE, log_id, model_name
from benchmark_runner.results.export.inspect_log.score import sample_score
from benchmark_runner.results.export.inspect_log.usage import model_usage
from benchmark_runner.results.phrases import artifact_text, tokens_of
from benchmark_runner.results.task_row import row_as_json
from benchmark_runner.results.trajectories import read_task_trajectories

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import JsonValue

    from benchmark_runner.artifacts.task_files import TaskFiles
    from benchmark_runner.results.run_view import RunView
    from benchmark_runner.results.task_row import TaskRow
    from benchmark_runner.schemas import GenerationResult

__all__ = ["eval_sample", "sample_summary"]

#: The columns that become metadata; the others have a place of their own.
_METADATA = (
    "state", "generation_status", "eval_status", "phase", "kind", "retryable", "hint", "attempts",
    "cost_of_earlier_attempts", "grading_seconds", "stale_eval", "unreadable", "imported",
)  # fmt: skip
#: Longer texts are cut in summaries, as Inspect does; larger values are left out.
_LONGEST = 1024
_CUT = "...\n(content truncated)"
_LEFT_OUT = "Key removed from summary (> 1k)"
_IN_SUMMARY = (
    "id", "epoch", "target", "model_usage", "started_at", "completed_at", "total_time",
    "working_time", "uuid", "turn_count",
)  # fmt: skip


def eval_sample(
    view: RunView, row: TaskRow, task: TaskFiles, eval_id: str
) -> dict[str, JsonValue] | None:
    """Return a repeat of a task: an ``EvalSample``; ``None`` if it is not generated yet.

    Args:
        view: The run.
        row: The repeat.
        task: Its files.
        eval_id: The id of the log.
    """
    generation = task.generation
    if generation is None:
        return None
    question, answer = generation.question or "", _answer(task, generation)
    model, uuid = model_name(row.model or view.config.model), log_id(eval_id, *task.key)
    score, usage = sample_score(row, task, answer), model_usage(tokens_of(row), row.cost)
    texts = SampleTexts(
        read_task_trajectories(view.artifacts, task.key),
        question,
        answer,
        model,
        redactor=view.artifacts.redactor,
        uuid=uuid,
        usage=usage,
    )
    sample = without_nulls(
        {
            "id": row.task_id,
            "epoch": row.repeat,
            "input": question,
            # The reference answer stays with the grader.
            "target": "",
            "uuid": uuid,
            "messages": texts.messages,
            "output": texts.output,
            "scores": None if score is None else {SCORE: score},
            "metadata": _metadata(row, generation) | _artifact(view, task),
            "store": {},
            "model_usage": {} if usage is None else {model: usage},
            "started_at": row.started_at and row.started_at.isoformat(),
            "completed_at": row.ended_at and row.ended_at.isoformat(),
            "total_time": row.generation_seconds,
            "working_time": row.generation_seconds,
            "turn_count": row.total_turns,
            "error": generation_error(view.artifacts, task),
            "error_retries": error_retries(view.artifacts, task),
            "limit": sample_limit(generation),
        }
    )
    return sample | texts.events(sample, view.started_at.isoformat())


def sample_summary(sample: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Return the summary of a sample, with short texts: an ``EvalSampleSummary``."""
    error, limit = _part(sample, "error"), _part(sample, "limit")
    retries, messages = sample.get("error_retries"), sample["messages"]
    score = _part(_part(sample, "scores"), SCORE)
    return without_nulls(
        {
            **{name: sample.get(name) for name in _IN_SUMMARY},
            "input": _short(sample["input"]),
            "metadata": _thin(_part(sample, "metadata")),
            "scores": {SCORE: _thin_score(score)} if score else None,
            "error": error.get("message"),
            "limit": limit.get("type"),
            "limit_reason": _short(limit.get("reason")),
            "retries": len(retries) if isinstance(retries, list) else None,
            "completed": True,
            "message_count": len(messages) if isinstance(messages, list) else None,
        }
    )


def _answer(task: TaskFiles, generation: GenerationResult) -> str:
    return generation.data or artifact_text(task.artifact)


def _metadata(row: TaskRow, generation: GenerationResult) -> dict[str, JsonValue]:
    columns = row_as_json(row)
    known = {name: columns[name] for name in _METADATA if columns[name] not in (None, False)}
    return {
        **known,
        **({"stop_reason": generation.stop_reason} if generation.stop_reason else {}),
        **({"generation": generation.metadata} if generation.metadata else {}),
    }


def _artifact(view: RunView, task: TaskFiles) -> dict[str, JsonValue]:
    """Return the record of the file that is the answer, and the folder that a copy reads it from.

    Inspect's logs hold no files.
    """
    if (artifact := task.artifact) is None:
        return {}
    run_dir = str(view.artifacts.run_dir.absolute())
    return {"artifact": artifact.model_dump(), "run_dir": run_dir}


def _part(value: Mapping[str, JsonValue], name: str) -> dict[str, JsonValue]:
    return cast("dict[str, JsonValue]", value.get(name) or {})


def _thin_score(score: dict[str, JsonValue]) -> dict[str, JsonValue]:
    texts = {name: _short(score.get(name)) for name in ("answer", "explanation", "reason")}
    metadata = _thin(_part(score, "metadata"))
    return without_nulls({"value": score["value"], **texts, "metadata": metadata})


def _thin(metadata: dict[str, JsonValue]) -> dict[str, JsonValue]:
    return {name: _thin_value(value) for name, value in metadata.items()}


def _thin_value(value: JsonValue) -> JsonValue:
    if isinstance(value, (dict, list)):
        return value if len(json.dumps(value)) <= _LONGEST else _LEFT_OUT
    return _short(value)


def _short(value: JsonValue) -> JsonValue:
    if isinstance(value, str) and len(value) > _LONGEST:
        return value[:_LONGEST] + _CUT
    return value
