"""Whether an author's runner can work as it is written, and the options it declares."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

from pydantic import ValidationError

from benchmark_runner.base import BenchmarkRunner
from benchmark_runner.errors import RunnerDefinitionError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import BaseModel

EVALUATION_APIS = ("legacy", "v1")


def import_object(reference: str, expected: str) -> object:
    """Import what ``"package.module:name"`` names.

    Args:
        reference: The module and the name in it.
        expected: What it should be, for the error message.

    Raises:
        RunnerDefinitionError: there is no such module or name.
    """
    module_name, colon, name = reference.partition(":")
    if not colon or not module_name or not name:
        raise RunnerDefinitionError(
            f"{reference!r} does not name {expected}", hint='Write it as "package.module:name".'
        )
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        # A module that the author's own code misses is reported as Python reports it.
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise RunnerDefinitionError(
            f"{reference!r}: there is no module {error.name!r}",
            hint="Install the project (make install), or correct the name in runner/cli.py.",
        ) from None
    if not hasattr(module, name):
        raise RunnerDefinitionError(
            f"{reference!r}: {sys.modules[module_name].__file__} defines no {name}",
            hint="Correct the name in runner/cli.py.",
        )
    found: object = getattr(module, name)
    return found


def resolve_runner(runner: str | type[BenchmarkRunner]) -> type[BenchmarkRunner]:
    """Return the runner class, imported if it was given by name, once it is known to be usable.

    Raises:
        RunnerDefinitionError: it can't be found, or can't work as written.
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
    """Refuse a runner class that can't work, before anything runs.

    Raises:
        RunnerDefinitionError: a name is missing or has a value that nothing supports.
    """
    name = runner_class.__name__
    problem: str | None = None
    if missing := sorted(getattr(runner_class, "__abstractmethods__", ())):
        problem = f"{name} does not define {', '.join(missing)}()"
    elif not getattr(runner_class, "NAME", ""):
        problem = f'{name} has no NAME, for example NAME = "my-bench"'
    elif runner_class.PAYLOAD_TYPE == "artifact":
        problem = f'{name}.PAYLOAD_TYPE is "artifact", which is not supported yet; use "text"'
    elif runner_class.EVALUATION_API not in EVALUATION_APIS:
        known = " or ".join(f'"{api}"' for api in EVALUATION_APIS)
        problem = f"{name}.EVALUATION_API is {runner_class.EVALUATION_API!r}; use {known}"
    elif shown := sorted(runner_class.EVALUATOR_FIELDS & set(runner_class.TASK_MODEL.model_fields)):
        problem = (
            f"{runner_class.TASK_MODEL.__name__} declares {', '.join(shown)}, which {name}."
            "EVALUATOR_FIELDS keeps from generate(); take it out of one of the two"
        )
    if problem is not None:
        raise RunnerDefinitionError(problem, hint="Correct the class in runner/benchmark.py.")


def parse_options(model: type[BaseModel], given: Sequence[str]) -> BaseModel:
    """Validate ``KEY=VALUE`` texts with the author's model.

    Raises:
        UsageError: one is malformed, given twice, unknown, or refused by the model.
    """
    values: dict[str, str] = {}
    known = ", ".join(model.model_fields) or "none: the runner sets no OPTIONS_MODEL"
    for item in given:
        key, equals, value = item.partition("=")
        if not equals or not key:
            raise UsageError(f"--option {item!r}: not KEY=VALUE", hint=f"Known options: {known}.")
        if key not in model.model_fields:
            raise UsageError(f"--option {key}: unknown option", hint=f"Known options: {known}.")
        if key in values:
            raise UsageError(f"--option {key}: given twice")
        values[key] = value
    try:
        return model.model_validate(values)
    except ValidationError as error:
        reasons = "; ".join(
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
            for fault in error.errors(include_url=False, include_input=False)
        )
        raise UsageError(f"--option {reasons}", hint=f"Known options: {known}.") from None
