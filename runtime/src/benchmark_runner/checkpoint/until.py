"""The question of a run that stops once it is settled."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["Until"]


class Until(BaseModel):
    """The question of a run, as it was asked before its first task."""

    model_config = ConfigDict(extra="allow")

    score: float | None = Field(default=None, ge=0, le=1)
    """``--until-score``: is the mean score of all tasks at least this?"""
    against: str | None = None
    """``--until-decided-against``: is it better or worse than that of this run, task by task?"""
    alpha: float = Field(gt=0, lt=1)
    """The probability that the verdict contradicts the scores of all tasks."""
    seed: int
    """The seed of the random order in which the tasks start."""
    baseline: list[Annotated[float, Field(ge=0, le=1)]] | None = None
    """The scores of the run that it is compared with, in the order of this run's tasks."""

    @model_validator(mode="after")
    def _check_question(self) -> Self:
        if (self.score is None) != (self.against is not None and self.baseline is not None):
            raise ValueError("until needs a score, or a run with its baseline")
        return self
