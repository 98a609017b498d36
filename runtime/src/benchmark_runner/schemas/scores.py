"""The final score of a run, on disk."""

from operator import not_

from pydantic import BaseModel, Field, JsonValue

__all__ = ["RepeatScore", "ScoreBounds", "ScoreCounts", "ScoreResult"]


class ScoreCounts(BaseModel):
    """Numbers of repeats of tasks by outcome. ``attempted`` have a generation of any status."""

    total: int = 0
    attempted: int = 0
    scored: int = 0
    error: int = 0
    max_time: int = 0
    max_turns: int = 0


class ScoreBounds(BaseModel):
    """The mean of all tasks, with every task without an evaluation as 0, and as 1."""

    errors_as_0: float
    errors_as_1: float


class RepeatScore(BaseModel):
    """The service's score of one repeat of all tasks."""

    repeat: int
    final_score: float
    tasks_evaluated: list[str]
    metadata: dict[str, JsonValue] = Field(default_factory=dict[str, JsonValue])


class ScoreResult(BaseModel):
    """The content of ``final_score.json``."""

    tasks_evaluated: list[str]
    final_score: float
    """Of a run with several repeats, the mean of theirs."""
    metadata: dict[str, JsonValue] = Field(default_factory=dict[str, JsonValue])
    """Of a run with several repeats, the means of their numbers, and what they have in common."""
    repeats: list[RepeatScore] = Field(default_factory=list[RepeatScore], exclude_if=not_)
    """The score of each repeat; empty where there is one."""
    complete: bool = False
    """True if every task of the run is evaluated or ran out of time or turns."""
    imported: bool = Field(default=False, exclude_if=not_)
    """True if the answers were made elsewhere."""
    local: bool | None = None
    """True if the score is from the embedded service."""
    service_url: str | None = None
    score_api: str | None = None
    """The API that was asked, ``legacy`` or ``v1``; ``None`` for an author's own ``score()``."""
    score_submission: str | None = None
    """The shape in which each task was submitted: its ``envelope``, or its bare ``result``."""
    dataset_version: str | None = None
    """The version of the dataset that the evaluations are of."""
    mean: float | None = None
    """The mean of the task scores (see ``BenchmarkRunner.task_score``); ``None`` if an evaluated
    task has none."""
    stderr: float | None = None
    """The standard error of ``mean``; ``None`` with fewer than two task scores."""
    counts: ScoreCounts | None = None
    bounds: ScoreBounds | None = None
    """The bounds of ``mean``; ``None`` if an evaluated task has no score."""
    evals_hash: str | None = None
    """SHA-256 over the evals behind the score: other evals on disk make it stale."""
