"""Raw rows of a dataset, validated as tasks."""

from collections.abc import Iterable
from typing import TypeVar

from pydantic import JsonValue, ValidationError

from benchmark_runner._json import problems_of
from benchmark_runner._text import plural
from benchmark_runner.errors import DatasetError
from benchmark_runner.schemas import Task

__all__ = ["build_tasks"]

_SHOWN_PROBLEMS = 5

_TaskT = TypeVar("_TaskT", bound=Task)


def build_tasks(
    rows: Iterable[dict[str, JsonValue]],
    model: type[_TaskT],
    evaluator_fields: frozenset[str],
    source: str,
) -> list[_TaskT]:
    """Validate raw rows as tasks, without the fields that only the grader may see.

    Args:
        rows: Raw tasks of a file or of a service.
        model: The ``Task`` class to validate with.
        evaluator_fields: The fields that are dropped.
        source: The source of the rows, for the error message.

    Raises:
        DatasetError: rows do not fit the model; the message names tasks and fields.
    """
    tasks: list[_TaskT] = []
    problems: list[str] = []
    for position, row in enumerate(rows):
        visible = {name: value for name, value in row.items() if name not in evaluator_fields}
        try:
            tasks.append(model.model_validate(visible))
        except ValidationError as error:
            label = repr(row["id"]) if "id" in row else f"number {position + 1}"
            problems += (
                f"task {label}, field {field or '(task)'}: {message}"
                for field, message in problems_of(error)
            )
    if problems:
        shown = "\n".join(f"  {problem}" for problem in problems[:_SHOWN_PROBLEMS])
        fields = plural(len(problems), "field")
        more = len(problems) - _SHOWN_PROBLEMS
        rest = f"\n  … and {more} more" if more > 0 else ""
        raise DatasetError(
            f"{source} does not fit {model.__name__} in {fields}:\n{shown}{rest}",
            hint=f"Correct the dataset, or the fields of {model.__name__}.",
        )
    return tasks
