"""Calls of an author's grader that neither block the service nor pass on its mistakes."""

import copy
import functools
import hashlib
import inspect
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import cast

from pydantic import JsonValue, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, to_json

from benchmark_runner._concurrency.author_calls import call_plain
from benchmark_runner._scores import finite, is_finite
from benchmark_runner.errors import describe
from benchmark_runner.local.grader_steps import GraderState, OnStep, call_grader, ignore_step

__all__ = [
    "Grader",
    "TaskScore",
    "describe_failure",
    "grade",
    "score_of",
    "source_hash",
    "takes_state",
]

#: Gets the whole raw task, references included, and the response (the path of its file, if it is
#: an artifact), and a ``state``, if it has such a parameter. Returns any JSON, or yields its
#: progress, states and the result.
Grader = Callable[..., object]

#: Returns the task score of a grader's result; ``None`` if it has none.
TaskScore = Callable[[JsonValue], float | None]

#: Characters of a result that an error shows.
_SHOWN = 80
#: Causes of an error that are looked at: they may form a circle.
_MOST_CAUSES = 20

_JSON: TypeAdapter[JsonValue] = TypeAdapter(JsonValue)


async def grade(
    grader: Grader,
    task: dict[str, JsonValue],
    response: str | Path,
    task_score: TaskScore | None = None,
    *,
    more: Mapping[str, JsonValue] = MappingProxyType({}),
    on_step: OnStep = ignore_step,
) -> JsonValue:
    """Return the grader's result for a response, which must be JSON; its errors pass through.

    Where ``task_score`` finds no number in it, that is an error, too, and not a 0. ``on_step``
    gets what the grader yields before it; ``more`` are further arguments for the grader.
    """

    async def check_step(step: str | GraderState) -> None:
        if isinstance(step, GraderState):
            step = GraderState(_checked(step.value, "yielded a state with"))
        await on_step(step)

    # A grader that changes the task must not change the dataset.
    call = functools.partial(grader, copy.deepcopy(task), response, **more)
    result = _checked(await call_grader(grader, call, check_step))
    if task_score is not None:
        score_of(copy.deepcopy(result), task_score)
    return result


def takes_state(grader: Grader) -> bool:
    """Return True if the grader has a parameter ``state``."""
    try:
        return "state" in inspect.signature(grader).parameters
    except (TypeError, ValueError):  # built in
        return False


def score_of(result: JsonValue, task_score: TaskScore) -> float:
    """Return the task score of a grader's result.

    Raises:
        TypeError: there is none.
        RuntimeError: ``task_score`` raised.
    """
    try:
        score = cast("object", call_plain(task_score, result))
    except Exception as error:
        raise RuntimeError(f"task_score() raised {describe(error)}") from error
    number = finite(score)
    if number is None:
        found = "no score" if score is None else f"{_shape(score)}, which is not a finite number"
        raise TypeError(
            f"the grader returned {_shape(result)}, in which task_score() finds {found}; "
            'return a number, or an object such as {"score": 1.0}'
        )
    return number


def source_hash(grader: Grader) -> str:
    """Return a hash of the grader's source file, helpers included."""
    target = _definition(grader)
    try:
        source = Path(inspect.getfile(target)).read_bytes()
    except (OSError, TypeError):  # made in an interactive session, or built in
        source = f"{target.__module__}.{getattr(target, '__qualname__', '')}".encode()
    return hashlib.sha256(source).hexdigest()[:16]


def describe_failure(grader: Grader, error: BaseException) -> str:
    """Return the error of a grader, with the last line of its own file that raised it."""
    text = describe(error)
    try:
        file = Path(inspect.getfile(_definition(grader))).resolve()
    except (OSError, TypeError):
        return text
    cause: BaseException | None = error
    for _ in range(_MOST_CAUSES):
        if cause is None:
            break
        for frame in reversed(traceback.extract_tb(cause.__traceback__)):
            if Path(frame.filename).resolve() == file:
                return f"{text} ({file.name}, line {frame.lineno})"
        cause = cause.__cause__
    return text


def _definition(grader: Grader) -> Callable[..., object]:
    """Return the function or class that the author wrote."""
    target: object = inspect.unwrap(grader)
    while isinstance(target, functools.partial):
        target = cast("object", target.func)
    if not (inspect.isroutine(target) or inspect.isclass(target)):
        target = type(target)
    return cast("Callable[..., object]", target)


def _checked(result: object, verb: str = "returned") -> JsonValue:
    try:
        value = _JSON.validate_python(result)
        to_json(value)  # fails on text that is not valid Unicode
    except (ValidationError, PydanticSerializationError, RecursionError):
        message = f"the grader {verb} {type(result).__name__}, which is not plain JSON"
        raise TypeError(message) from None
    if not is_finite(value):
        message = f"the grader {verb} a number that is not finite, which JSON can't hold"
        raise TypeError(message)
    return value


def _shape(result: object) -> str:
    """Return a result in short: types for the values of an object, which may tell the reference."""
    if isinstance(result, dict):
        items = cast("dict[object, object]", result).items()
        fields = ", ".join(f"{key!r}: {type(value).__name__}" for key, value in items)
        return f"{{{fields}}}" if len(fields) <= _SHOWN else f"{{{fields[:_SHOWN]}…}}"
    if result is None:
        return "None"
    shown = repr(result)
    return f"{type(result).__name__} {shown}" if len(shown) <= _SHOWN else type(result).__name__
