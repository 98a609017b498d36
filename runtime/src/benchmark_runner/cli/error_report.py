"""The failure of a command in a file, for an orchestrator that sees no more than the exit code."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

#: Names the file. An orchestrator reads it where the exit code is not 0, and refuses a report
#: that is longer, or has characters that can't be printed.
VARIABLE = "VALKYRIE_ERROR_PATH"
MOST_BYTES = 2048

_TYPED = re.compile(r"([A-Za-z_][\w.]*)(?::\s+(\S.*))?", re.DOTALL)
_UNTYPED = "Error"
_CUT = "…"


def write_report(error: str, clean: Callable[[str], str]) -> None:
    """Write an error as ``Type: message``, if a report is wanted; a failure to do so is silent.

    Args:
        error: The error, which may lack its type.
        clean: Masks secrets.
    """
    path = os.environ.get(VARIABLE)
    if not path:
        return
    from benchmark_runner._start_state import absolute

    with suppress(Exception):  # it changes neither the exit code nor what is printed
        # A pipe that nobody reads would block.
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NONBLOCK
        descriptor = os.open(absolute(Path(path)), flags, 0o644)
        with os.fdopen(descriptor, "wb") as file:
            file.write(_within_limit(_typed(_in_one_line(clean(error)))))


def _in_one_line(text: str) -> str:
    line = " ".join(text.split())
    # Not left out, which could put the halves of a secret together.
    return line if line.isprintable() else "".join(c if c.isprintable() else "?" for c in line)


def _typed(line: str) -> str:
    """Return the line as ``Type: message``; an agent may give an error without a type."""
    if (found := _TYPED.fullmatch(line)) is None:
        return f"{_UNTYPED}: {line or 'without a message'}"
    return line if found[2] else f"{found[1]}: without a message"


def _within_limit(line: str) -> bytes:
    data = line.encode("utf-8", "replace")
    if len(data) <= MOST_BYTES:
        return data
    kept = data[: MOST_BYTES - len(_CUT.encode())].decode("utf-8", "ignore")
    return f"{kept}{_CUT}".encode()
