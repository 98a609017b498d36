"""The command line of an agent: arguments with placeholders, and the program that it names."""

from __future__ import annotations

import os
import shutil
from string import Formatter
from typing import TYPE_CHECKING

from benchmark_runner._text import did_you_mean
from benchmark_runner.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["Argument", "fill", "find_program"]

#: A text with placeholders, or a path, which has none.
Argument = str | os.PathLike[str]

_BRACES = (
    "Write {{ and }} for braces that are none of a placeholder, or give the argument as a Path."
)


def fill(command: Sequence[Argument], values: Mapping[str, str]) -> list[str]:
    """Return the command with the placeholders in its texts replaced; values are taken as they are.

    Raises:
        UsageError: a placeholder is unknown, or the command can't be one.
    """
    if isinstance(command, str) or not command:
        raise UsageError(
            "the command of the agent is not a list of arguments",
            hint='Give its arguments one by one, such as ["my-agent", "--model", "{model}"].',
        )
    filled = [_filled(each, values) for each in command]
    for argument in filled:
        if "\0" in argument:
            raise UsageError(f"an argument of the agent's command holds a zero byte: {argument!r}")
    return filled


def _filled(argument: Argument, values: Mapping[str, str]) -> str:
    if not isinstance(argument, str):
        return os.fspath(argument)
    try:
        parts = [*Formatter().parse(argument)]
    except ValueError as error:
        raise UsageError(f"the argument {argument!r} is invalid: {error}", hint=_BRACES) from None
    return "".join(
        text + ("" if name is None else _value_of(name, form or conversion, argument, values))
        for text, name, form, conversion in parts
    )


def _value_of(name: str, extra: str | None, argument: str, values: Mapping[str, str]) -> str:
    if name in values and not extra:
        return values[name]
    known = ", ".join(f"{{{each}}}" for each in values)
    raise UsageError(
        f"the argument {argument!r} has the unknown placeholder {{{name}}}; there are {known}",
        hint=did_you_mean(name, values) + _BRACES,
    )


def find_program(name: str, folder: Path, environment: Mapping[str, str]) -> str:
    """Return the path of a program; a relative path begins in ``folder``.

    Raises:
        UsageError: it is missing, or not executable.
    """
    if os.sep not in name:
        if found := shutil.which(name, path=environment.get("PATH", os.defpath)):
            return os.path.abspath(found)  # noqa: PTH100 (which keeps links)
        raise UsageError(
            f"the agent's program {name!r} was not found",
            hint=f"Install it, or put its folder into PATH: `command -v {name}` must find it.",
        )
    path = folder / name
    if path.is_file() and os.access(path, os.X_OK):
        return str(path)
    what = "is not there" if not path.exists() else "is no file that can be executed"
    advice = "Give an absolute path, or a name that is in PATH."
    if path.is_file():
        advice = f"Make it executable: chmod +x {path}"
    raise UsageError(f"the agent's program {str(path)!r} {what}", hint=advice)
