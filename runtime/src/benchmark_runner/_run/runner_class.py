"""The author's runner class: imported, and checked before anything runs."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import cast

from pydantic import BaseModel

from benchmark_runner.base import BenchmarkRunner
from benchmark_runner.errors import RunnerDefinitionError, describe, place_of
from benchmark_runner.schemas import Task

EVALUATION_APIS = ("legacy", "v1")


def import_object(reference: str, expected: str) -> object:
    """Import the object that ``"package.module:name"`` names.

    Args:
        reference: The module and the name in it.
        expected: The kind of object, for the error message.

    Raises:
        RunnerDefinitionError: there is no such module or name, or importing it fails.
    """
    module_name, colon, name = reference.partition(":")
    if not colon or not module_name or not name:
        raise RunnerDefinitionError(
            f"{reference!r} does not name {expected}", hint='Write it as "package.module:name".'
        )
    try:
        module = import_module(module_name)
    except Exception as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing is not None and f"{module_name}.".startswith(f"{missing}."):
            raise RunnerDefinitionError(
                f"{reference!r}: there is no module {missing!r}",
                hint="Install the project (make install), or correct the name in runner/cli.py.",
            ) from None
        raise RunnerDefinitionError(
            f"{module_name} can't be imported: {describe(error)} ({place_of(error)})",
            hint="Correct the module; python -m py_compile and make lint help to find the place.",
        ) from error
    if not hasattr(module, name):
        raise RunnerDefinitionError(
            f"{reference!r}: {sys.modules[module_name].__file__} defines no {name}",
            hint="Correct the name in runner/cli.py.",
        )
    found: object = getattr(module, name)
    return found


def resolve_runner(runner: str | type[BenchmarkRunner]) -> type[BenchmarkRunner]:
    """Return the runner class, imported if given by name, after checking it.

    Raises:
        RunnerDefinitionError: it can't be found, or can't work as it is.
    """
    found = import_object(runner, "a runner class") if isinstance(runner, str) else runner
    if not isinstance(found, type) or not issubclass(found, BenchmarkRunner):
        raise RunnerDefinitionError(
            f"{runner!r} is not a subclass of BenchmarkRunner",
            hint='Give make_cli() the runner class, or its name as "runner.benchmark:Class".',
        )
    check_definition(found)
    return found


def check_definition(runner_class: type[BenchmarkRunner]) -> None:
    """Refuse a runner class that can't work.

    Raises:
        RunnerDefinitionError: a name is missing or has a value that nothing supports.
    """
    problem = _missing_name(runner_class) or _wrong_type(runner_class) or _conflict(runner_class)
    if problem is not None:
        raise RunnerDefinitionError(
            f"{runner_class.__name__}{problem}", hint="Correct the class in runner/benchmark.py."
        )


def _missing_name(runner_class: type[BenchmarkRunner]) -> str | None:
    if missing := sorted(getattr(runner_class, "__abstractmethods__", ())):
        return f" does not define {', '.join(missing)}()"
    name: object = getattr(runner_class, "NAME", None)
    if not isinstance(name, str) or not name:
        return ' has no NAME, for example NAME = "my-bench"'
    return None


def _wrong_type(runner_class: type[BenchmarkRunner]) -> str | None:
    for attribute, base in (("TASK_MODEL", Task), ("OPTIONS_MODEL", BaseModel)):
        model: object = getattr(runner_class, attribute)
        if not isinstance(model, type) or not issubclass(model, base):
            return f".{attribute} is {model!r}, not a subclass of {base.__name__}"
    fields = cast("object", runner_class.EVALUATOR_FIELDS)
    if not isinstance(fields, (set, frozenset)):
        return f'.EVALUATOR_FIELDS is {fields!r}, not a set such as frozenset({{"answer"}})'
    return None


def _conflict(runner_class: type[BenchmarkRunner]) -> str | None:
    if (payload_type := runner_class.PAYLOAD_TYPE) != "text":
        return f'.PAYLOAD_TYPE is "{payload_type}", which is not supported yet; use "text"'
    if runner_class.EVALUATION_API not in EVALUATION_APIS:
        known = " or ".join(f'"{api}"' for api in EVALUATION_APIS)
        return f".EVALUATION_API is {runner_class.EVALUATION_API!r}; use {known}"
    model = runner_class.TASK_MODEL
    if shown := sorted(runner_class.EVALUATOR_FIELDS & set(model.model_fields)):
        return (
            f".EVALUATOR_FIELDS is kept from generate(), yet {model.__name__} declares "
            f"{', '.join(shown)}; take it out of one of the two"
        )
    return None
