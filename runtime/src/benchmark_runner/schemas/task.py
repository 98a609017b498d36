"""The tasks of a dataset."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, field_validator

from benchmark_runner.schemas.ids import SafeId

__all__ = ["Task"]


class Task(BaseModel):
    """One question for the agent.

    Subclass it and set ``TASK_MODEL`` to declare and validate fields of your own. Without
    that, extra fields of the dataset are kept as they are (``task.model_extra["category"]``).
    """

    model_config = ConfigDict(extra="allow")

    id: SafeId
    """Unique in its dataset and usable as a folder name; an integer becomes its digits."""
    question: str
    """The text that ``generate()`` answers."""
    timeout: float | None = None
    """Seconds for this task's generation; beats ``--timeout``; 0 or less means none."""

    @field_validator("id", mode="before")
    @classmethod
    def _number_to_digits(cls, value: object) -> object:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value
