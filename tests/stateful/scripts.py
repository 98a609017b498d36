"""The script of one command: what the agent, the service and the disk do, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmark_runner._run.outcome import Outcome

#: US dollars of a generation that returns.
COST = 0.25
#: Seconds, of a clock that stands still while there is anything to do.
TIME_LIMIT = 1.0


@dataclass(frozen=True)
class Disturbance:
    """Something that happens to a command from outside, at a step of the storage or an event.

    A kill comes before such a step or after it, or within the first writing from there on.
    """

    kind: str
    at: int


@dataclass(frozen=True, repr=False)
class Script:
    """How everything around one command behaves.

    What an agent or a grader does is by the number in the task's name.
    """

    agent: Sequence[str] = ("answers",) * 6
    grader: Sequence[str] = ("grades",) * 6
    door: str = "open"
    refuses_after: int | None = None
    renamed_after: int | None = None
    scores: bool = True
    delays: Sequence[int] = (0,)
    disturbance: Disturbance | None = None

    def __repr__(self) -> str:
        calm = {each.name: each.default for each in fields(self)}
        unlike = {name: value for name, value in vars(self).items() if value != calm[name]}
        return f"Script({', '.join(f'{name}={value!r}' for name, value in unlike.items())})"


@dataclass
class Ended:
    """How a command ended, and what it asked of others."""

    error: BaseException | None = None
    outcome: Outcome | None = None
    code: int | None = None
    disturbed: bool = False
    generated: list[str] = field(default_factory=list[str])
    graded: list[str] = field(default_factory=list[str])


class Died(BaseException):
    """The process is gone; nothing that follows happens any more."""
