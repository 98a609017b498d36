"""The errors, limits and earlier attempts of a generation."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from benchmark_runner._spend import known_amount, known_count
from benchmark_runner._text import printable, without_middle
from benchmark_runner.artifacts.file_reader import content_of
from benchmark_runner.artifacts.run_folder import TRACEBACK_LOG
from benchmark_runner.errors import ArtifactError
from benchmark_runner.results.trajectories import has_link, log_folder
from benchmark_runner.schemas import GenerationResult, GenerationStatus

if TYPE_CHECKING:
    from pydantic import JsonValue

    from benchmark_runner.artifacts.run_folder import RunArtifacts
    from benchmark_runner.artifacts.task_files import TaskFiles
    from benchmark_runner.schemas import TaskRepeat

__all__ = ["error_retries", "eval_error", "generation_error", "sample_limit", "traceback_of"]

#: The most characters of a traceback.
_LONGEST = 20_000
#: The framework's own message about a generation without an answer in time.
_TIME_LIMIT = re.compile(r"no answer within ([0-9]+(?:\.[0-9]+)?(?:e[+-][0-9]+)?) s")
_REDONE = {
    GenerationStatus.SUCCESS: "redone although it had an answer",
    GenerationStatus.MAX_TIME: "ran out of time",
    GenerationStatus.MAX_TURNS: "ran out of turns",
    GenerationStatus.ERROR: "no reason given",
}


def eval_error(message: str, traceback: str = "") -> dict[str, JsonValue]:
    """Return an ``EvalError``, whose coloured text has no codes of a terminal."""
    text = traceback or message
    return {"message": message, "traceback": text, "traceback_ansi": printable(text)}


def generation_error(artifacts: RunArtifacts, task: TaskFiles) -> dict[str, JsonValue] | None:
    """Return the error of a generation, with its traceback; ``None`` if it did not fail."""
    generation = task.generation
    if generation is None or generation.status is not GenerationStatus.ERROR:
        return None
    return _error_of(artifacts, task.key, generation, None)


def error_retries(artifacts: RunArtifacts, task: TaskFiles) -> list[JsonValue] | None:
    """Return the earlier attempts, each as an ``EvalRetryError``; ``None`` without any."""
    earlier = [
        _error_of(artifacts, task.key, each, known_count(each.attempts) or number)
        for number, each in enumerate(task.earlier_generations, start=1)
    ]
    return [*earlier] or None


def sample_limit(generation: GenerationResult) -> dict[str, JsonValue] | None:
    """Return the limit that ended a generation: an ``EvalSampleLimit``; ``None`` without one."""
    reason = generation.error or _REDONE[generation.status]
    match generation.status:
        case GenerationStatus.MAX_TIME:
            stated = _TIME_LIMIT.match(reason)
            seconds = float(stated[1]) if stated else known_amount(generation.duration)
            return {"type": "time", "limit": seconds or 0.0, "reason": reason}
        case GenerationStatus.MAX_TURNS:
            turns = known_count(generation.total_turns)
            return {"type": "turn", "limit": float(turns or 0), "reason": reason}
        case _:
            return None


def _error_of(
    artifacts: RunArtifacts, key: TaskRepeat, generation: GenerationResult, attempt: int | None
) -> dict[str, JsonValue]:
    message = generation.error or _REDONE[generation.status]
    if generation.status is not GenerationStatus.ERROR:
        return eval_error(message)
    return eval_error(message, traceback_of(artifacts, key, attempt))


def traceback_of(artifacts: RunArtifacts, key: TaskRepeat, attempt: int | None = None) -> str:
    """Return the traceback of an attempt, without keys; empty without one.

    Args:
        artifacts: The files of the run.
        key: The task and its repeat.
        attempt: The number of an earlier attempt; ``None`` for the current one.
    """
    folder = log_folder(artifacts, key, attempt)
    if has_link(artifacts.run_dir, folder):
        return ""
    try:
        content = content_of(str(folder / TRACEBACK_LOG)) or b""
    except ArtifactError:  # an agent may have put anything there
        return ""
    # Before it is cut, as a half of a secret is not recognised.
    masked = artifacts.redactor.clean(content).decode("utf-8", "replace")
    return without_middle(masked, _LONGEST)
