"""The keys that a runner's code reads from the environment, as far as it names them."""

import ast
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from benchmark_runner._secrets import HEADERS_VARIABLE, KEY_VARIABLES, names_a_secret

__all__ = ["FRAMEWORK_KEYS", "keys_read"]

#: Keys that the framework reads; an evaluation needs them, or an endpoint of the model's.
FRAMEWORK_KEYS = frozenset({*KEY_VARIABLES, HEADERS_VARIABLE})
_EXAMPLE = ".env.example"
_VARIABLE = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
_ASSIGNED = re.compile(rf"^[#\s]*({_VARIABLE.pattern})=", re.MULTILINE)


def keys_read(root: Path, package: str) -> dict[str, str]:
    """Return the variables with keys that the runner's code and ``.env.example`` name.

    Returns:
        The file that names each, relative to ``root``.
    """
    found: dict[str, str] = {}
    folder = root / package.partition(".")[0]
    files = sorted(folder.rglob("*")) if folder.is_dir() else [folder.with_suffix(".py")]
    for file in (*files, root / _EXAMPLE):
        with suppress(OSError, ValueError, SyntaxError):  # other checks report it
            for name in _names_in(file):
                if names_a_secret(name) and name not in FRAMEWORK_KEYS:
                    found.setdefault(name, file.relative_to(root).as_posix())
    return found


def _names_in(file: Path) -> Iterator[str]:
    if file.name == _EXAMPLE:
        yield from _ASSIGNED.findall(file.read_text("utf-8"))
    elif file.suffix == ".toml":  # settings of an agent, where names stand in command lines
        yield from _VARIABLE.findall(file.read_text("utf-8"))
    elif file.suffix == ".py":
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield from filter(None, [_whole(node.value)])


def _whole(text: str) -> str | None:
    return text if _VARIABLE.fullmatch(text) else None
