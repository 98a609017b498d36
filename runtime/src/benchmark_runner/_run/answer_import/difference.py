"""The comparison of an answer in a file with the one that a run has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark_runner.artifacts.file_reader import content_of
from benchmark_runner.schemas import Artifact, TokenUsage
from benchmark_runner.trajectory import TRAJECTORY_FILE

if TYPE_CHECKING:
    from benchmark_runner._run.answer_import.reader import ImportedAnswer
    from benchmark_runner.artifacts.run_folder import RunArtifacts
    from benchmark_runner.schemas import GenerationResult


def difference(answer: ImportedAnswer, found: GenerationResult, files: RunArtifacts) -> str | None:
    """Return the field in which an answer is not the one on disk; what it leaves out is the same.

    ``files`` are those of its repeat.
    """
    before, now = _fields(found), _fields(answer.generation)
    for name, value in now.items():
        if value not in (None, "", before[name]):
            return name
    if answer.trajectory is None:
        return None
    kept = content_of(str(files.agent_logs_dir(answer.key.task_id) / TRAJECTORY_FILE))
    return None if kept == files.redactor.clean(answer.trajectory.encode()) else "trajectory"


def _fields(generation: GenerationResult) -> dict[str, object]:
    """Return what a line of a file can say of a generation, by the keys there."""
    artifact, usage = generation.artifact, generation.usage
    tokens = {f"{name}_tokens": count for name, count in usage or ()}
    return {
        "status": generation.status,
        "answer": generation.data,
        "artifact": artifact.sha256 if isinstance(artifact, Artifact) else None,
        "error": generation.error,
        "total_turns": generation.total_turns,
        **{f"{name}_tokens": None for name in TokenUsage.model_fields},
        **tokens,
        "cost": generation.cost,
        "generation_seconds": generation.duration,
        "started_at": generation.started_at,
        "ended_at": generation.ended_at,
    }
