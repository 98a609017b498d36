"""A process that an author's code forks: it ends where it would come back to the framework.

It would do the rest of the run a second time, on the same event loop and with the same files.
"""

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import NoReturn, TypeVar

T = TypeVar("T")


@contextmanager
def ending_children() -> Generator[None]:
    """End a process that was forked in the block when it leaves the block."""
    pid = os.getpid()
    try:
        yield
    except BaseException as error:
        if os.getpid() != pid:
            _end(error)
        raise
    if os.getpid() != pid:
        _end(None)


def _end(error: BaseException | None) -> NoReturn:
    """End this process, without what Python does at an exit: that is for the first process."""
    code: object = 1
    if error is None:
        code = 0
    elif isinstance(error, SystemExit):
        code = error.code or 0
    os._exit(code if isinstance(code, int) else 1)


def ending_in_children(call: Callable[[], T]) -> T:
    """Return ``call()``; a process that is forked in it ends where it would return."""
    with ending_children():
        return call()
