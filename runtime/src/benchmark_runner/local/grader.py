"""Calls an author's grader so that neither its slowness nor its faults hurt the service."""

from __future__ import annotations

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

#: Gets the whole raw task, references included, and the response; returns any JSON.
Grader = Callable[[dict[str, JsonValue], str], JsonValue | Awaitable[JsonValue]]

_JSON: TypeAdapter[JsonValue] = TypeAdapter(JsonValue)


async def grade(grader: Grader, task: dict[str, JsonValue], response: str) -> JsonValue:
    """Return what the grader makes of a response.

    A plain function runs in a thread of its own, a coroutine function on the event loop.

    Raises:
        Exception: whatever the grader raises.
        TypeError: the grader returned something that is not JSON.
    """
    # A grader that changes the task must not change the dataset.
    call = functools.partial(grader, copy.deepcopy(task), response)
    return _checked(await call_either(grader, call, "the grader"))


def source_hash(grader: Grader) -> str:
    """A hash of the source file that the grader is written in, helpers included."""
    target = _definition(grader)
    try:
        source = Path(inspect.getfile(target)).read_bytes()
    except (OSError, TypeError):  # made in an interactive session, or built in
        source = f"{target.__module__}.{getattr(target, '__qualname__', '')}".encode()
    return hashlib.sha256(source).hexdigest()[:16]


def describe_fault(grader: Grader, error: BaseException) -> str:
    """What a grader raised, and the last line of its own file that it came through."""
    said = describe(error)
    try:
        file = Path(inspect.getfile(_definition(grader))).resolve()
    except (OSError, TypeError):
        return said
    cause: BaseException | None = error
    while cause is not None:
        for frame in reversed(traceback.extract_tb(cause.__traceback__)):
            if Path(frame.filename).resolve() == file:
                return f"{said} ({file.name}, line {frame.lineno})"
        cause = cause.__cause__
    return said


def _definition(grader: Grader) -> Callable[..., object]:
    """The function or class that the author wrote."""
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
