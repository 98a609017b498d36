"""Calls of an author's grader that neither block the service nor pass on its mistakes."""

import copy
import functools
import hashlib
import inspect
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

from pydantic import JsonValue, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, to_json

from benchmark_runner._concurrency.author_calls import call_either
from benchmark_runner._scores import is_finite
from benchmark_runner.errors import describe

__all__ = ["Grader", "describe_failure", "grade", "source_hash"]

#: Gets the whole raw task, references included, and the response; returns any JSON.
Grader = Callable[[dict[str, JsonValue], str], JsonValue | Awaitable[JsonValue]]

_JSON: TypeAdapter[JsonValue] = TypeAdapter(JsonValue)


async def grade(grader: Grader, task: dict[str, JsonValue], response: str) -> JsonValue:
    """Return the grader's result for a response, which must be JSON; its errors pass through."""
    # A grader that changes the task must not change the dataset.
    call = functools.partial(grader, copy.deepcopy(task), response)
    return _checked(await call_either(grader, call, "the grader"))


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
    while cause is not None:
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


def _checked(result: object) -> JsonValue:
    try:
        value = _JSON.validate_python(result)
        to_json(value)  # fails on text that is not valid Unicode
    except (ValidationError, PydanticSerializationError, RecursionError):
        message = f"the grader returned {type(result).__name__}, which is not plain JSON"
        raise TypeError(message) from None
    if not is_finite(value):
        message = "the grader returned a number that is not finite, which JSON can't hold"
        raise TypeError(message)
    return value
