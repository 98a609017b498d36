"""A process that an author's code forks: it ends where it would come back to the framework.

It would do the rest of the run a second time, on the same event loop and with the same files.
"""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NoReturn, TypeVar

T = TypeVar("T")


class _EndingChildren:
    """A context for each call of an author's code: a generator of contextlib takes longer."""

    __slots__ = ("_pid",)

    def __enter__(self) -> None:
        self._pid = os.getpid()

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if os.getpid() != self._pid:
            _end(error)


def ending_children() -> AbstractContextManager[None, None]:
    """End a process that was forked in the block when it leaves the block."""
    return _EndingChildren()


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
