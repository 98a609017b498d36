"""The score of a run of several repeats: the mean of the service's score of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark_runner._scores import finite
from benchmark_runner._stats.means import mean
from benchmark_runner.schemas import RepeatScore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import JsonValue

    from benchmark_runner.schemas import ScoreResult


def mean_score(scores: Sequence[ScoreResult]) -> ScoreResult:
    """Return the score of a run from those of its repeats, which are in their order."""
    first = scores[0]
    return first.model_copy(
        update={
            "final_score": mean([each.final_score for each in scores]),
            "tasks_evaluated": [
                *dict.fromkeys(task_id for each in scores for task_id in each.tasks_evaluated)
            ],
            "metadata": _mean_of([each.metadata for each in scores]),
            "repeats": [
                RepeatScore(
                    repeat=repeat,
                    final_score=each.final_score,
                    tasks_evaluated=each.tasks_evaluated,
                    metadata=each.metadata,
                )
                for repeat, each in enumerate(scores, start=1)
            ],
        }
    )


def _mean_of(values: Sequence[JsonValue]) -> JsonValue:
    """Return the means of the numbers at the same place, and what else is the same in each.

    ``None`` stands for what differs; a field that not each has is left out.
    """
    first = values[0]
    numbers = [finite(each) for each in values if not isinstance(each, bool)]
    known = [each for each in numbers if each is not None]
    if len(known) == len(values):
        return mean(known)
    objects = [each for each in values if isinstance(each, dict)]
    if len(objects) == len(values):
        names = [name for name in objects[0] if all(name in each for each in objects)]
        return {name: _mean_of([each[name] for each in objects]) for name in names}
    lists = [each for each in values if isinstance(each, list)]
    if len(lists) == len(values) and len({len(each) for each in lists}) == 1:
        return [_mean_of(each) for each in zip(*lists, strict=True)]
    return first if all(each == first for each in values) else None
