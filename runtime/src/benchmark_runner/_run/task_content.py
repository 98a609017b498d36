"""The content of tasks that an author's ``load_tasks()`` returns: checked, hashed, and as JSON.

Fields of the author's own may hold anything. A hash that tells whether a task has changed must be
the same in every process, and a grader gets the task as JSON.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, NoReturn, cast

from pydantic import ValidationError
from pydantic_core import to_jsonable_python

from benchmark_runner._json import problems_of
from benchmark_runner.base.tasks import own_copy
from benchmark_runner.errors import RunnerDefinitionError
from benchmark_runner.schemas import Task

if TYPE_CHECKING:
    from pydantic import JsonValue

_BASE_FIELDS = ("id", "question", "timeout")
#: The place of an object in memory, which is another one in each process.
_ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]+")
_SCALARS = (str, int, float, bool, type(None))


def own_tasks(tasks: Iterable[Task]) -> list[Task]:
    """Return copies of an author's tasks, which the author's code may still hold and change.

    Raises:
        RunnerDefinitionError: the framework's own fields of one hold something else.
    """
    return [_own_task(task, number) for number, task in enumerate(tasks, start=1)]


def task_hash(task: Task) -> str:
    """Return the SHA-256 of a task as ``generate()`` gets it, without its time limit.

    Raises:
        RunnerDefinitionError: a field holds what is another value in each process.
    """
    content = None
    if not _may_hold_sets(type(task)) and not any(map(_holds_sets, _values(task))):
        with suppress(ValueError, RecursionError):  # such as half a surrogate pair
            content = task.model_dump_json(exclude={"timeout"})
    if content is None:
        content = _json_of(task, {"timeout"}, _canonical)
    return hashlib.sha256(content.encode()).hexdigest()


def json_row(task: Task) -> dict[str, JsonValue]:
    """Return a task as JSON for the embedded service, the same in every process.

    Raises:
        RunnerDefinitionError: a field holds what can't be JSON.
    """
    if not any(map(_holds_sets, _values(task))):
        with suppress(ValueError, RecursionError):  # such as bytes that are not UTF-8
            return task.model_dump(mode="json")
    return cast("dict[str, JsonValue]", json.loads(_json_of(task, set(), _as_json)))


def _own_task(task: Task, number: int) -> Task:
    own, problem = own_copy(task), ""
    found = {name: vars(task)[name] for name in _BASE_FIELDS if name in vars(task)}
    try:
        checked = Task.model_validate(found)
    except ValidationError as error:
        problem = "field {}: {}".format(*next(problems_of(error)))
    else:
        if checked.timeout is None or not math.isnan(checked.timeout):
            vars(own).update({name: getattr(checked, name) for name in found})
            return own
        problem = "field timeout: not a number"
    raise RunnerDefinitionError(
        f"load_tasks() returned a task (number {number}) that is not usable, {problem}",
        hint="Correct load_tasks() in runner/benchmark.py.",
    )


def _json_of(task: Task, left_out: set[str], default: Callable[[object], object]) -> str:
    try:
        return json.dumps(task.model_dump(exclude=left_out), default=default)
    except (TypeError, ValueError, RecursionError):
        _refuse(task, left_out, default)


def _refuse(task: Task, left_out: set[str], default: Callable[[object], object]) -> NoReturn:
    """Raise the error that names the field, and what is in it."""
    fields: list[str] = []
    for name, value in task:
        if name not in left_out:
            try:
                json.dumps(to_jsonable_python(value, fallback=default))
            except (TypeError, ValueError, RecursionError) as error:
                fields.append(f"{name} ({type(value).__name__}: {error})")
    raise RunnerDefinitionError(
        f"task {task.id!r} holds what JSON can't: field {', '.join(fields) or '(all)'}",
        hint="Keep JSON values in the fields of a task, and make objects of them in generate().",
    )


def _canonical(value: object) -> object:
    """Return JSON for the hash of a value that is none."""
    if isinstance(value, (set, frozenset)):  # their order differs between processes
        return sorted(map(_stable_repr, cast("set[object]", value)))
    return _stable_repr(value)


def _stable_repr(value: object) -> str:
    if isinstance(value, frozenset):
        return f"frozenset({sorted(map(_stable_repr, cast('frozenset[object]', value)))})"
    if isinstance(value, tuple):
        return f"({', '.join(map(_stable_repr, cast('tuple[object, ...]', value)))})"
    text = repr(value)
    if _ADDRESS.search(text):
        message = "an object without a value of its own"
        raise TypeError(message)
    return text


def _as_json(value: object) -> object:
    """Return JSON for the grader of a value that is none."""
    if isinstance(value, (set, frozenset)):
        return sorted(cast("set[object]", value), key=_stable_repr)
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return b64encode(value).decode()
    return to_jsonable_python(value)


def _values(task: Task) -> Iterable[object]:
    return (*vars(task).values(), *(task.model_extra or {}).values())


def _holds_sets(value: object, seen: set[int] | None = None) -> bool:
    if isinstance(value, _SCALARS):
        return False
    seen = set() if seen is None else seen
    if isinstance(value, (set, frozenset)) or id(value) in seen:
        return isinstance(value, (set, frozenset))
    seen.add(id(value))  # a value may hold itself
    inside: Iterable[object] = getattr(value, "__dict__", {}).values()
    if isinstance(value, Mapping):
        inside = cast("Mapping[object, object]", value).values()
    elif isinstance(value, (list, tuple)):
        inside = cast("list[object]", value)
    return any(_holds_sets(each, seen) for each in inside)


@lru_cache
def _may_hold_sets(model: type[Task]) -> bool:
    return any("set" in str(field.annotation) for field in model.model_fields.values())
