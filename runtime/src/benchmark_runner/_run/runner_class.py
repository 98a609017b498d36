"""Whether an author's runner can work as it is written, and the options it declares."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, cast, get_args, get_origin

from pydantic import BaseModel, Secret, SecretBytes, SecretStr, ValidationError

from benchmark_runner._redaction import Redactor
from benchmark_runner.base import BenchmarkRunner
from benchmark_runner.checkpoint import field_words
from benchmark_runner.errors import RunnerDefinitionError, UsageError, describe, place_of
from benchmark_runner.schemas import Task

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

EVALUATION_APIS = ("legacy", "v1")
_SECRET_TYPES: tuple[type, ...] = (SecretStr, SecretBytes, Secret)


def import_object(reference: str, expected: str) -> object:
    """Import what ``"package.module:name"`` names.

    Args:
        reference: The module and the name in it.
        expected: What it should be, for the error message.

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


def split_options(given: Sequence[str]) -> dict[str, str]:
    """Take ``KEY=VALUE`` texts apart.

    Raises:
        UsageError: one is malformed or given twice.
    """
    options: dict[str, str] = {}
    for number, item in enumerate(given, start=1):
        key, equals, value = item.partition("=")
        if not equals or not key:  # not repeated here, as it may be a secret without its name
            raise UsageError(
                f"--option number {number} is not KEY=VALUE", hint="Write it as --option KEY=VALUE."
            )
        if key in options:
            raise UsageError(f"--option {key}: given twice", hint="Give each option once.")
        options[key] = value
    return options


def parse_options(model: type[BaseModel], options: Mapping[str, str]) -> BaseModel:
    """Validate the author's options with the author's model.

    Raises:
        UsageError: one is unknown or missing, or the model refuses it.
    """
    known = ", ".join(model.model_fields) or "none: the runner sets no OPTIONS_MODEL"
    hint = f"Known options: {known}."
    if unknown := [name for name in options if name not in model.model_fields]:
        raise UsageError(f"--option {unknown[0]}: unknown option", hint=hint)
    try:
        return model.model_validate(options)
    except ValidationError as error:
        reasons = "; ".join(
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
            for fault in error.errors(include_url=False, include_input=False)
        )
        # The author's own validators say what they want, the value included.
        fields = model.model_fields
        secrets = [value for name, value in options.items() if _is_secret(fields[name].annotation)]
        masked = Redactor(secrets, reserved=field_words).clean_text(reasons)
        raise UsageError(f"--option {masked}", hint=hint) from None


def secret_options(options: BaseModel) -> set[str]:
    """The names of the options that are, or hold, a secret."""
    fields = type(options).model_fields
    return {
        name
        for name, value in options
        if [*secrets_in(value)] or (name in fields and _is_secret(fields[name].annotation))
    }


def secrets_in(value: object) -> Iterator[str]:
    """The plain texts of the secrets that an option's value is, or holds."""
    if isinstance(value, SecretBytes):
        yield value.get_secret_value().decode("utf-8", "replace")
    elif isinstance(value, (SecretStr, Secret)):
        yield str(cast("SecretStr", value).get_secret_value())
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in cast("Iterable[object]", value):
            yield from secrets_in(item)


def _is_secret(annotation: object) -> bool:
    kinds: tuple[object, ...] = (annotation, get_origin(annotation))
    if any(isinstance(kind, type) and issubclass(kind, _SECRET_TYPES) for kind in kinds):
        return True
    return any(_is_secret(part) for part in get_args(annotation))
