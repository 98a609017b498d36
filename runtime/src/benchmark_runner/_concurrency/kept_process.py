"""The process of a command, which an author's code can neither end at once nor replace."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from typing import Any

from benchmark_runner._concurrency.author_threads import is_of_an_author

_ENDING = ("_exit", "execv", "execve")


@contextmanager
def kept_process() -> Generator[None]:
    """Raise ``SystemExit`` where an author's code calls ``os._exit()`` or ``os.exec…()``.

    A process that it forked may do so.
    """
    pid = os.getpid()
    functions: dict[str, Callable[..., Any]] = {name: getattr(os, name) for name in _ENDING}

    def stand_in(name: str, *arguments: Any) -> Any:
        if name in functions and os.getpid() == pid and is_of_an_author():
            raise SystemExit(f"os.{name}()")
        function: Callable[..., Any] = functions.get(name) or getattr(os, name)
        return function(*arguments)

    for name in functions:
        setattr(os, name, partial(stand_in, name))
    try:
        yield
    finally:
        for name, function in functions.items():
            setattr(os, name, function)
        functions.clear()  # code that has kept a stand-in gets what is there now
